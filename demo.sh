#!/usr/bin/env bash
# One order's way, from API Gateway to the subscriber, on the embedded cloud. Needs `ordernotify` on the PATH.
set -euo pipefail
export ORDERNOTIFY_STACK=${ORDERNOTIFY_STACK:-demo}
export ORDERNOTIFY_AWS=0

step() {
    printf '\n== %s\n' "$1"
    shift
    printf '$ %s\n' "$*"
}

step 'Stand the stack up, with one subscriber' ordernotify setup --email you@example.com --yes
ordernotify setup --email you@example.com --yes

step "Send the guide's test order" ordernotify send-order --customer 'John Doe' --product 'Wireless Mouse'
sent=$(ordernotify send-order --customer 'John Doe' --product 'Wireless Mouse' --json)
printf '%s\n' "$sent"
order=$(printf '%s' "$sent" | sed -E 's/.*"orderId": *"([^"]+)".*/\1/')

step 'The order in DynamoDB' ordernotify get-order "$order"
ordernotify get-order "$order"

step 'What the subscriber got' ordernotify inbox
ordernotify inbox

step "The function's log lines of this order" ordernotify logs --order "$order"
ordernotify logs --order "$order"

step "The guide's testing procedure" ordernotify verify
ordernotify verify

printf '\nThe stack is still there. To look around:   %s\n' ".venv/bin/ordernotify status --stack $ORDERNOTIFY_STACK"
printf 'To remove it:   %s\n' ".venv/bin/ordernotify teardown --stack $ORDERNOTIFY_STACK --yes --delete-orders"
