#!/bin/sh
# The machine becomes the master, with a registry beside it that is the nodes' mirror. Run again, it changes nothing.
#   master.sh ADDRESS    the machine's own on the private network
set -eu
address=$1

# At a boot it may start before the machine has its address on the private network, and Debian's unit gives up then.
unit=/etc/systemd/system/docker-registry.service.d/sampan.conf
if [ ! -e $unit ]; then
    mkdir -p "${unit%/*}"
    printf '[Service]\nRestart=on-failure\nRestartSec=5\n' >$unit.new
    mv $unit.new $unit
    systemctl daemon-reload
fi

config=/etc/docker/registry/config.yml
cat >$config.new <<END
# Sampan's: the nodes' mirror. Whoever reaches this address may put images there.
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
