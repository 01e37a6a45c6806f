#!/bin/sh
# The machine becomes the master, with a registry beside it that is the nodes' mirror. Run again, it changes nothing.
#   master.sh ADDRESS    the machine's own on the private network
set -eu
address=$1

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
