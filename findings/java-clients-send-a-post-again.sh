#!/usr/bin/env bash
# Java: HttpURLConnection repeats a POST whose answer is lost; Apache HttpClient 5 repeats one that is answered 429 or 503.
#
# Guess: a POST is sent once (RFC 9110 §9.2.2), and a status is an answer, which the caller gets.
# Seen: HttpURLConnection sends a POST again where a connection ends without an answer, also a connection of its own. So
# a login makes two sessions, and a DPoP proof comes twice. The system property sun.net.http.retryPost=false ends that.
# Apache HttpClient 5 as it is does not repeat it there. But it keeps an answer with 429 or 503 from its caller, sleeps for
# what Retry-After says, or a second, and sends the request again, a POST like a GET; `disableAutomaticRetries()` ends that.
# JDK's own newer java.net.http sends a POST once in all these cases.
#
# Needs Java 17 or newer, and Debian or Ubuntu, whose packages libhttpclient5-java and others it unpacks in a folder.
set -euo pipefail
for program in java apt-get dpkg-deb; do command -v $program >/dev/null || { echo "needs $program"; exit 2; }; done
folder=$(mktemp -d)
server=
trap 'test -z "$server" || kill $server; rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq -o APT::Sandbox::User=root libhttpclient5-java libhttpcore5-java libslf4j-java
for package in *.deb; do dpkg-deb -x "$package" .; done
cat > server.py <<'PYTHON'
"""/first reads a request and ends the connection, once; /429 and /503 say Retry-After, and /busy is 503 without it."""

import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

came = []


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, text="", **headers):
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(text))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(text.encode())

    def do_GET(self):
        if self.path != "/came":
            return self.answer(200)
        self.answer(200, str(len(came)))
        came.clear()

    def do_POST(self):
        came.append(self.rfile.read(int(self.headers["Content-Length"])))
        assert set(came) == {b"token"}
        if self.path == "/first" and len(came) == 1:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif self.path in ("/429", "/503"):
            self.answer(int(self.path[1:]), Retry_After="2")
        else:
            self.answer(503 if self.path == "/busy" else 200)

    def log_message(self, *args):
        pass


class Servers(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args):
        """A client may have gone."""


server = Servers(("127.0.0.1", 0), Server)
print(server.server_port, flush=True)
server.serve_forever()
PYTHON
cat > Post.java <<'JAVA'
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import org.apache.hc.client5.http.classic.methods.HttpPost;
import org.apache.hc.client5.http.impl.classic.CloseableHttpClient;
import org.apache.hc.client5.http.impl.classic.HttpClients;
import org.apache.hc.core5.http.io.entity.StringEntity;
import org.apache.hc.core5.util.VersionInfo;

public class Post {
    interface Client {
        int send(URI url, String body) throws Exception;
    }

    static int old(URI url, String body) throws Exception {
        var connection = (HttpURLConnection) url.toURL().openConnection();
        if (!body.isEmpty()) {
            connection.setDoOutput(true);
            connection.getOutputStream().write(body.getBytes());
        }
        int status = connection.getResponseCode();
        var stream = status < 400 ? connection.getInputStream() : connection.getErrorStream();
        if (stream != null) stream.readAllBytes();
        return status;
    }

    static Client apache(CloseableHttpClient client) {
        return (url, body) -> {
            var post = new HttpPost(url);
            post.setEntity(new StringEntity(body));
            return client.execute(post, answer -> answer.getCode());
        };
    }

    static int count(String site) throws Exception {
        return Integer.parseInt(new String(URI.create(site + "/came").toURL().openStream().readAllBytes()));
    }

    public static void main(String[] given) throws Exception {
        var site = given[0];
        int lost = Integer.parseInt(given[1]);
        var newer = HttpClient.newHttpClient();
        Client jdk = (url, body) -> newer.send(
            HttpRequest.newBuilder(url).POST(HttpRequest.BodyPublishers.ofString(body)).build(),
            HttpResponse.BodyHandlers.discarding()).statusCode();
        var all = new Object[][] {
            {"HttpURLConnection", (Client) Post::old, lost, 1},
            {"java.net.http", jdk, 1, 1},
            {"Apache HttpClient 5", apache(HttpClients.createDefault()), 1, 2},
            {"the same without retries", apache(HttpClients.custom().disableAutomaticRetries().build()), 1, 1},
        };
        System.out.println("Java " + System.getProperty("java.version") + ", Apache HttpClient "
            + VersionInfo.loadVersionInfo("org.apache.hc.client5", null).getRelease()
            + ", sun.net.http.retryPost=" + System.getProperty("sun.net.http.retryPost", "(not set)"));
        // With another property only the first one may differ.
        for (var each : lost == 1 ? new Object[][] {all[0]} : all)
            for (var path : new String[] {"/first", "/429", "/503", "/busy"}) {
                count(site);
                long began = System.nanoTime();
                String told;
                try {
                    told = String.valueOf(((Client) each[1]).send(URI.create(site + path), "token"));
                } catch (IOException error) {
                    told = error.getClass().getSimpleName();
                }
                double seconds = (System.nanoTime() - began) / 1e9;
                int sent = count(site);
                System.out.printf("%s, %s: sent %d times in %.1f seconds, tells: %s%n", each[0], path, sent, seconds, told);
                if (sent != (int) each[path.equals("/first") ? 2 : 3]) {
                    System.out.println("the behaviour has changed");
                    System.exit(1);
                }
            }
    }
}
JAVA
python3 server.py > port & server=$!
until test -s port; do sleep 0.1; done
site=http://127.0.0.1:$(cat port)
jars=$(printf '%s:' "$folder"/usr/share/java/{httpclient5,httpcore5,httpcore5-h2,slf4j-api,slf4j-nop}.jar)
java -cp "$jars" Post.java "$site" 2
java -Dsun.net.http.retryPost=false -cp "$jars" Post.java "$site" 1
