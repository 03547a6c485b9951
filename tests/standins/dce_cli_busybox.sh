#!/bin/sh
# A stand-in for DiscordChatExporter.Cli inside the tests' container image. It is not DiscordChatExporter.
#
# The last digit of the channel's id says what happens: 2 takes all memory, 3 writes on until it is ended, 4 is
# forbidden, any other is exported. Without the right token nothing is.
if [ "$1" = "--version" ]; then
  echo "v2.46 (a stand-in, not DiscordChatExporter)"
  exit 0
fi
while [ $# -gt 0 ]; do
  case "$1" in
    --channel) channel="$2" ;;
    --output) output="$2" ;;
  esac
  shift
done
if [ "$DISCORD_TOKEN" != "marker-token-never-shown" ]; then
  echo "Authentication token is invalid." >&2
  exit 1
fi
head='{
  "channel": {
    "id": "'"$channel"'"
  },
  "messages": ['
message='    {
      "id": "1",
      "timestamp": "2015-01-01T00:00:00+00:00"
    }'
echo "Exporting 1 channel(s)..."
case "$channel" in
  *2)
    printf '%s\n%s,\n' "$head" "$message" > "$output"
    tail /dev/zero
    exit $?
    ;;
  *3)
    printf '%s\n' "$head" > "$output"
    while true; do
      printf '%s,\n' "$message" >> "$output"
      sleep 1
    done
    ;;
  *4)
    printf '%s],\n  "messageCount": 0\n}' "$head" > "$output"
    echo "Failed to export the following channel(s):" >&2
    echo "room: Request to 'channels/$channel/messages?limit=1' failed: forbidden." >&2
    exit 1
    ;;
esac
printf '%s\n%s\n  ],\n  "messageCount": 1\n}' "$head" "$message" > "$output"
