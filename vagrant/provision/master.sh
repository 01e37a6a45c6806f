#!/bin/sh
# Makes the machine the master, with a registry that is the nodes' mirror. Run again, it changes nothing.
#   master.sh ADDRESS    the machine's address on the private network
set -eu
address=$1

# At boot the registry may start before the machine has its address on the private network, and then Debian's unit
# gives up.
unit=/etc/systemd/system/docker-registry.service.d/sampan.conf
if [ ! -e $unit ]; then
    mkdir -p "${unit%/*}"
    printf '[Service]\nRestart=on-failure\nRestartSec=5\n' >$unit.new
    mv $unit.new $unit
    systemctl daemon-reload
fi

config=/etc/docker/registry/config.yml
cat >$config.new <<END
# Sampan: the nodes' mirror. Every client that reaches this address can push images.
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage:
  cache: {blobdescriptor: inmemory}
  filesystem: {rootdirectory: /var/lib/docker-registry}
http: {addr: '$address:5000'}
END
if cmp -s $config $config.new && systemctl --quiet is-active docker-registry; then
    rm $config.new
else
    mv $config.new $config
    systemctl --quiet enable docker-registry
    systemctl restart docker-registry
fi

/tmp/sampan-bundle/install master --upgrade --advertise-address "$address"
