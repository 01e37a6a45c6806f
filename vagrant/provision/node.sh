#!/bin/sh
# Installs an agent; the Vagrantfile runs `sampan join` afterwards. Run again, it changes nothing.
#   node.sh NAME ADDRESS    on the private network: the first interface has the same address on every machine
set -eu
/tmp/sampan-bundle/install agent --upgrade --node-name "$1" --node-address "$2"
rm -rf /tmp/sampan-bundle /tmp/sampan-bundle.tar
