"""How the site is served to the races: several processes, several threads in each."""

bind = "127.0.0.1:0"
workers = 4
worker_class = "gthread"
threads = 3
# Longer than any caller pauses.
keepalive = 60
control_socket_disable = True
