// How the site's search ranks what Sphinx finds: first pages with the words in their title, last pages that mention everything.
// Named by html_search_scorer in conf.py.
const MENTION_EVERYTHING = ["architecture", "checks", "endpoints", "index", "performance", "security"];

const words = (text) => text.toLowerCase().match(/[a-z0-9]+/g) ?? [];

var Scorer = {
  // Sphinx's own defaults
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,

  score: ([page, title, , , score]) => {
    const asked = words(new URLSearchParams(window.location.search).get("q") ?? "");
    const titled = words(title);
    // "rotate" and "rotation", "session" and "sessions": the first five letters decide.
    const isLike = (word, other) => (word.length < 4 ? other === word : other.startsWith(word.slice(0, 5)));
    const found = asked.filter((word) => titled.some((other) => isLike(word, other)));
    return score + 10 * found.length - (MENTION_EVERYTHING.includes(page) ? 10 : 0);
  },
};
