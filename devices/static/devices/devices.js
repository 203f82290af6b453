// Nothing here is needed: without it times are in the zone of the site, and the next click tells who is signed out.
"use strict";

// In a block: Turbo and Unpoly run it again with each page that they put in the place of another.
{
  const language = document.documentElement.lang || undefined;
  const inOwnZone = new Intl.DateTimeFormat(language, {
    year: "numeric", month: "short", day: "numeric", hour: "numeric", minute: "2-digit", timeZoneName: "short",
  });

  for (const time of document.querySelectorAll(".devices time")) {
    const exact = inOwnZone.format(new Date(time.dateTime));
    if (time.classList.contains("devices-exact")) time.textContent = exact;
    else time.title = exact;
  }

  // Who has not chosen the zone of their mails yet is offered the one that they are in; "Save" chooses it.
  const zone = document.querySelector("select[name=time_zone]");
  if (zone && !zone.value) zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && zone.selectedIndex < 0) zone.value = "";

  // A session of which the page knows that it was signed out elsewhere: asked for while somebody looks at the page.
  const EVERY = 3500;
  const page = document.querySelector("[data-watch]");

  function end(told) {
    const notice = document.createElement("div");
    notice.className = "devices-message devices-message-warning";
    notice.setAttribute("role", "alert");
    const title = document.createElement("p");
    const strong = document.createElement("strong");
    strong.textContent = told.title;
    title.append(strong);
    const why = document.createElement("p");
    why.textContent = told.why;
    if (told.ended_at) why.append(` · ${inOwnZone.format(new Date(told.ended_at))}`);
    const again = document.createElement("p");
    const link = document.createElement("a");
    link.href = location.pathname;
    link.textContent = told.again;
    again.append(link);
    notice.append(title, why, again);
    page.replaceChildren(notice);
  }

  async function ask() {
    if (!page.isConnected) {
      clearInterval(asking);
      document.removeEventListener("visibilitychange", ask);
      return;
    }
    if (document.hidden) return;
    try {
      // Without the cookie: that would make a question of the database of it.
      const answer = await fetch(page.dataset.watch, { credentials: "omit", cache: "no-store" });
      if (!answer.ok) return;
      const told = await answer.json();
      if (told.active) return;
      clearInterval(asking);
      end(told);
    } catch {
      // Offline, or the site is: neither says that somebody was signed out.
    }
  }

  const asking = page && setInterval(ask, EVERY);
  if (page) document.addEventListener("visibilitychange", ask);
}
