#!/bin/busybox sh
# Tells who answers and whom it saw. Shell builtins only: no further process a request.
read -r name < /proc/sys/kernel/hostname
printf 'Content-Type: text/plain\r\nCache-Control: no-store\r\n\r\npod: %s\npodIP: %s\nclient: %s\n' \
    "$name" "$POD_IP" "$REMOTE_ADDR"
