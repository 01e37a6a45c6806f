#!/bin/sh
# Prepares a machine of any provider: the packages that Sampan needs, the registry as Docker's mirror, and the unpacked
# bundle. Run again, it changes nothing.
#   host.sh REGISTRY    as ADDRESS:PORT
set -eu
registry=$1
export DEBIAN_FRONTEND=noninteractive

missing=
for package in docker.io docker-registry iptables python3 python3-venv; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing="$missing $package"
done
if [ -n "$missing" ]; then
    echo "installing$missing"
    apt="apt-get -qq -o DPkg::Lock::Timeout=300"
    # shellcheck disable=SC2086
    install() { $apt update && $apt install -y --no-install-recommends $missing >/dev/null; }
    # apt-get waits for another apt, dpkg does not. Only dpkg completes packages that an interrupted run left half
    # installed.
    install || { dpkg --configure -a && install; }
fi

# Only the master's registry is used; master.sh writes its configuration.
grep -q '^# Sampan' /etc/docker/registry/config.yml || systemctl --quiet disable --now docker-registry

config=/etc/docker/daemon.json
desired="{\"registry-mirrors\": [\"http://$registry\"], \"insecure-registries\": [\"$registry\"]}"
if [ ! -e $config ]; then
    echo "$desired" >$config.new
    mv $config.new $config
fi
if [ "$(cat $config)" != "$desired" ]; then
    echo "$config has other settings and is kept: images do not come from $registry"
elif ! docker info 2>/dev/null | grep -q "^ *http://$registry/"; then
    systemctl restart docker
fi

rm -rf /tmp/sampan-bundle
mkdir /tmp/sampan-bundle
tar -xf /tmp/sampan-bundle.tar -C /tmp/sampan-bundle --strip-components=1
