// Plays the recipe for apps: Story <URL of the API> <name of the story>. Prints one line for each thing that is seen.
import java.util.concurrent.Callable
import java.util.concurrent.Executors
import okhttp3.Request

object Memory : Store {
    override var tokens: Tokens? = null
    override val deviceId = "8d7f2a1c-5b0e-4b6e-9a43-0d6f0c1e2b3a"
}

fun main(arguments: Array<String>) {
    val (url, story) = arguments
    val api = Api(url, "Shop/1.4 (Android 16; Pixel 9)", Memory) { println("signed out") }
    fun get(path: String) = Request.Builder().url(url + path).build()
    fun status(path: String) = api.client.newCall(get(path)).execute().use { it.code }
    fun expire() {
        val now = Memory.tokens!!
        Memory.tokens = Tokens(now.access + "x", now.refresh, now.session)
    }
    fun await() = readLine()
    try {
        api.logIn("alice@example.org", "wrong")
    } catch (refused: Refused) {
        println(refused.code)
    }
    api.logIn("alice@example.org", "correct horse battery 9")
    when (story) {
        "many" -> {
            expire()
            val pool = Executors.newFixedThreadPool(20)
            val asked = (1..20).map { Callable { status("/me") } }
            println(pool.invokeAll(asked).map { it.get() }.toSet())
            pool.shutdown()
        }
        "again" -> api.logIn("alice@example.org", "correct horse battery 9")
        "ended" -> {
            println("ready")
            await()
            println(status("/me"))
            println(Memory.tokens)
            api.logOut()
        }
        "away" -> {
            expire()
            println("ready")
            await()
            try {
                status("/me")
            } catch (away: Refused) {
                println("${away.status} ${away.code}".trim())
            }
            println("ready")
            await()
            println(status("/me"))
            api.logOut()
            println(Memory.tokens)
        }
    }
}
