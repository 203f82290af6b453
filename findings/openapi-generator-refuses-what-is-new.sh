#!/usr/bin/env bash
# openapi-generator: clients of an API that gets a new key or a new value fail for the whole answer, also where they are told not to.
#
# Guess: a client that was generated ignores a key that its description did not have. With `enumUnknownDefaultCase=true` it takes a new
# value of an enum, too. Two enums that have a value in common compile.
# Seen: the Go client refuses an object with a new key (`json: unknown field`), and with it the whole list: the generator takes an object
# without `additionalProperties` for one that allows no others, though OpenAPI says the opposite, unless it is given
# `disallowAdditionalPropertiesIfNotPresent=false`. The Python client ignores the key. For it, `enumUnknownDefaultCase=true`
# writes `unknown_default_open_api` among the values, and nothing ever returns it: a new value raises an error as before.
# With the same value in two enums the Go client does not compile without `enumClassPrefix=true`.
#
# Needs Python 3.11 or newer, Java 11 or newer, and Go 1.18 or newer.
set -euo pipefail
for program in python3 java go; do
  command -v "$program" >/dev/null || { echo "needs $program"; exit 2; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet openapi-generator-cli==7.26.0 pydantic==2.12.5 urllib3==2.6.3 python-dateutil==2.9.0.post0 2> pip.log ||
  { cat pip.log; exit 2; }
cat > api.yaml <<'YAML'
openapi: 3.0.3
info: {title: sessions, version: "1"}
paths:
  /sessions:
    get:
      operationId: listSessions
      responses:
        "200":
          description: All sessions.
          content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Session"}}}}
components:
  schemas:
    Device: {type: string, enum: [phone, none]}
    Binding: {type: string, enum: [key, none]}
    Session:
      type: object
      required: [device, binding]
      properties: {device: {$ref: "#/components/schemas/Device"}, binding: {$ref: "#/components/schemas/Binding"}}
YAML
generate() {  # language, folder, properties
  venv/bin/openapi-generator-cli generate -i api.yaml -g "$1" -o "$2" ${3:+"--additional-properties=$3"} > "$2.log" 2>&1 ||
    { cat "$2.log"; exit 1; }
}
KEY='{"device": "phone", "binding": "key", "new": 1}'
VALUE='{"device": "watch", "binding": "key"}'

cat > read.py <<'PY'
import sys

sys.path.insert(0, sys.argv[1])
from openapi_client import Session

try:
    print("reads it:", Session.from_json(sys.argv[2]).device.value)
except ValueError as error:
    print("refuses it:", type(error).__name__)
PY
cat > main.go <<'GO'
package main

import (
	"encoding/json"
	"fmt"
	"os"
	sessions "sessions"
)

func main() {
	var session sessions.Session
	if err := json.Unmarshal([]byte(os.Args[1]), &session); err != nil {
		fmt.Println("refuses it:", err)
	} else {
		fmt.Println("reads it:", session.Device)
	}
}
GO
in_go() {  # folder, JSON
  mkdir -p "$1/cmd"
  cp main.go "$1/cmd"
  printf 'module sessions\n\ngo 1.18\n' > "$1/go.mod"
  rm -rf "$1/test" "$1/go.sum"
  (cd "$1" && go run ./cmd "$2" 2>&1 | grep -oE 'redeclared|(reads|refuses) it.*' | head -1)
}
generate python python
generate python python-unknown enumUnknownDefaultCase=true
generate go go
generate go go-prefix enumClassPrefix=true,enumUnknownDefaultCase=true
generate go go-open enumClassPrefix=true,enumUnknownDefaultCase=true,disallowAdditionalPropertiesIfNotPresent=false
seen="Python, a new key:                            $(venv/bin/python read.py python "$KEY")
Python, a new value:                          $(venv/bin/python read.py python "$VALUE")
Python, enumUnknownDefaultCase, a new value:  $(venv/bin/python read.py python-unknown "$VALUE")
Go:                                           $(in_go go "$KEY")
Go, enumClassPrefix, a new key:               $(in_go go-prefix "$KEY")
Go, enumUnknownDefaultCase, a new value:      $(in_go go-prefix "$VALUE")
Go, no more disallowed, a new key:            $(in_go go-open "$KEY")"
echo "openapi-generator $(venv/bin/openapi-generator-cli version), $(venv/bin/python --version), $(go version | cut -d' ' -f3)"
echo "$seen"
[ "$(echo "$seen" | cut -c47-)" = "$(cat <<'TXT'
reads it: phone
refuses it: ValidationError
refuses it: ValidationError
redeclared
refuses it: json: unknown field "new"
reads it: unknown_default_open_api
reads it: phone
TXT
)" ] || { echo "changed"; exit 1; }
