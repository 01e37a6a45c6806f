#!/bin/busybox sh
# The guestbook: shows what visitors wrote, read from a redis slave, and writes what one sends to the redis master.
# Both are found by the variables that a pod has of each service (REDIS_MASTER_SERVICE_HOST …).
export LC_ALL=C

# redis HOST PORT WORD…: sends one command (as an array of strings, so that any byte may be in it) and shows the answer.
redis() {
    host=$1 port=$2
    shift 2
    {
        printf '*%d\r\n' $#
        for word in "$@"; do printf '$%d\r\n%s\r\n' ${#word} "$word"; done
        printf 'QUIT\r\n'
    } | nc -w 3 "$host" "$port"
}

escaped() { sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g; s/"/\&quot;/g'; }

if [ "$REQUEST_METHOD" = POST ]; then
    # As a form sends it: entry=…, at most 500 characters of it, on one line.
    form=$(head -c "$(( ${CONTENT_LENGTH:-0} < 2000 ? ${CONTENT_LENGTH:-0} : 2000 ))")
    entry=$(httpd -d "$(printf %s "${form#entry=}" | tr + ' ')" | tr -d '\r' | tr '\n' ' ' | cut -c 1-500)
    if [ -n "$entry" ]; then
        redis "$REDIS_MASTER_SERVICE_HOST" "$REDIS_MASTER_SERVICE_PORT" RPUSH guestbook "$entry" >/dev/null
    fi
    printf 'Status: 303 See Other\r\nLocation: /\r\n\r\n'
    exit
fi

read -r name < /proc/sys/kernel/hostname
printf 'Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n\r\n'
cat <<'END'
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Guestbook</title>
<style>
  body { font: 18px/1.5 system-ui, sans-serif; max-width: 36rem; margin: 3rem auto; padding: 0 1rem; color: #223; }
  input { font: inherit; width: 70%; padding: .3rem .6rem; } button { font: inherit; padding: .3rem 1rem; }
  li { margin: .3rem 0; } footer { color: #778; font-size: 14px; margin-top: 3rem; }
</style></head>
<body><h1>Guestbook</h1>
<form method="post"><input name="entry" maxlength="160" autofocus> <button>Write</button></form>
<ol>
END
# An array's header, then each string behind its length; last the answer to QUIT.
redis "$REDIS_SLAVE_SERVICE_HOST" "$REDIS_SLAVE_SERVICE_PORT" LRANGE guestbook 0 -1 | tr -d '\r' |
    awk 'NR > 1 && NR % 2' | escaped | sed 's/.*/<li>&<\/li>/'
printf '</ol><footer>served by pod %s to %s</footer></body></html>\n' "$name" "$REMOTE_ADDR"
