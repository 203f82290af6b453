// The names of OkHttp 4 and 5, for the OkHttp 3 that Debian has.
import okhttp3.MediaType
import okhttp3.RequestBody
import okhttp3.Response

val Response.code get() = code()
val Response.body get() = body()
val Response.request get() = request()
val Response.priorResponse get() = priorResponse()

fun String.toMediaType() = MediaType.get(this)

fun String.toRequestBody(type: MediaType) = RequestBody.create(type, this)
