#!/usr/bin/env bash
# Java: HttpURLConnection drops the body of a 401 to a POST that it streams; java.net.http fails for one without a challenge.
#
# Guess: a refusal is an answer: the status and the body are there, with the code that says what to do (`otp_required`).
# Seen: after `setFixedLengthStreamingMode` or `setChunkedStreamingMode` a 401 has its status and no body: `getErrorStream()`
# is null, and `getInputStream()` throws HttpRetryException, whose message is about streaming. 400, 403 and 429 keep theirs.
# So an app whose login has the wrong password cannot tell that from a missing second factor. Without streaming, and with
# java.net.http, the body is there. But java.net.http with any `authenticator(…)`, for a proxy, say, throws IOException in
# the place of a 401 without `WWW-Authenticate`, as Django Ninja's are; with one of a scheme that it does not know, it
# gives the answer.
#
# Needs Java 17 or newer.
set -euo pipefail
command -v java >/dev/null || { echo "needs java"; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > Refused.java <<'JAVA'
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.Authenticator;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.LinkedHashMap;
import java.util.Map;

public class Refused {
    static final byte[] BODY = "{\"password\": \"wrong\"}".getBytes();

    static String byConnection(String url, String mode) throws IOException {
        var connection = (HttpURLConnection) URI.create(url).toURL().openConnection();
        connection.setRequestMethod("POST");
        connection.setDoOutput(true);
        if (mode.equals("fixed")) connection.setFixedLengthStreamingMode(BODY.length);
        if (mode.equals("chunked")) connection.setChunkedStreamingMode(0);
        try (OutputStream out = connection.getOutputStream()) {
            out.write(BODY);
        }
        var status = connection.getResponseCode();
        var body = connection.getErrorStream();
        if (body != null) return status + " " + new String(body.readAllBytes());
        try {
            connection.getInputStream();
            return status + " no body";
        } catch (IOException error) {
            return status + " no body, " + error.getClass().getSimpleName();
        }
    }

    static String byClient(String url, HttpClient.Builder client) throws InterruptedException {
        var request = HttpRequest.newBuilder(URI.create(url)).POST(HttpRequest.BodyPublishers.ofByteArray(BODY)).build();
        try {
            var response = client.build().send(request, HttpResponse.BodyHandlers.ofString());
            return response.statusCode() + " " + response.body();
        } catch (IOException error) {
            return "IOException: " + error.getMessage();
        }
    }

    static HttpClient.Builder authenticated() {
        return HttpClient.newBuilder().authenticator(new Authenticator() {});
    }

    public static void main(String[] args) throws Exception {
        var server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.createContext("/", exchange -> {
            exchange.getRequestBody().readAllBytes();
            var path = exchange.getRequestURI().getPath().split("/");
            if (path.length > 2) exchange.getResponseHeaders().set("WWW-Authenticate", path[2] + " realm=\"api\"");
            var body = "otp_required".getBytes();
            exchange.sendResponseHeaders(Integer.parseInt(path[1]), body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
        var site = "http://127.0.0.1:" + server.getAddress().getPort();
        var refused = site + "/401/Bearer";
        System.out.println("Java " + System.getProperty("java.version"));
        Map<String, String> seen = new LinkedHashMap<>();
        seen.put("HttpURLConnection, 401", byConnection(refused, "buffered"));
        seen.put("HttpURLConnection, 401, fixed length", byConnection(refused, "fixed"));
        seen.put("HttpURLConnection, 401, chunked", byConnection(refused, "chunked"));
        seen.put("HttpURLConnection, 401 without a challenge, fixed length", byConnection(site + "/401", "fixed"));
        seen.put("HttpURLConnection, 400, fixed length", byConnection(site + "/400", "fixed"));
        seen.put("HttpURLConnection, 403, fixed length", byConnection(site + "/403", "fixed"));
        seen.put("HttpURLConnection, 429, fixed length", byConnection(site + "/429", "fixed"));
        seen.put("java.net.http, 401", byClient(refused, HttpClient.newBuilder()));
        seen.put("java.net.http, 401 without a challenge", byClient(site + "/401", HttpClient.newBuilder()));
        seen.put("java.net.http, authenticator, 401", byClient(refused, authenticated()));
        seen.put("java.net.http, authenticator, 401 without a challenge", byClient(site + "/401", authenticated()));
        seen.forEach((name, told) -> System.out.println(name + ": " + told));
        var lost = "401 no body, HttpRetryException";
        var good = "401 otp_required";
        var expected = new String[] {
            good, lost, lost, lost, "400 otp_required", "403 otp_required", "429 otp_required",
            good, good, good, "IOException: WWW-Authenticate header missing for response code 401",
        };
        var isSame = String.join(",", seen.values()).equals(String.join(",", expected));
        if (!isSame) System.out.println("the behaviour has changed");
        System.exit(isSame ? 0 : 1);
    }
}
JAVA
timeout 60 java Refused.java
