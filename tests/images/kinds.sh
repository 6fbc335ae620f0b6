#!/bin/bash
# The images that tests use, one function a kind; to be sourced. A kind's function adds layers
# and sets the configuration; ARG is what follows `=` in the kind's name.

# new_root: an empty folder for the next layer, in $root.
new_root() {
  root=$(mktemp -d "$image_work/root.XXXXXX")
  chmod 755 "$root"
}

# base_files: what programs expect of a root file system.
base_files() {
  mkdir -p "$root"/{etc,home,root,run,usr/bin,usr/sbin,var/log,var/lib,var/cache}
  mkdir -p -m 1777 "$root/tmp"
  ln -s ../run "$root/var/run"
  printf '%s\n' root:x:0:0:root:/root:/bin/sh www-data:x:33:33::/var/www:/bin/false \
    redis:x:999:999::/var/lib/redis:/bin/false nobody:x:65534:65534::/:/bin/false \
    >"$root/etc/passwd"
  printf '%s\n' root:x:0: www-data:x:33: redis:x:999: nogroup:x:65534: >"$root/etc/group"
}

# shell_files: busybox with hard-linked applets. Debian's static busybox runs applets inside
# its shell without an exec, so that masks, set-uid bits and filters of /bin/ls and its like
# would not be met; the shell is that of the dynamic package, which executes them.
shell_files() {
  local tree applet
  tree=$(package_tree busybox-static)
  mkdir -p "$root/bin"
  cp "$tree/bin/busybox" "$root/bin/busybox"
  "$root/bin/busybox" --list | while read -r applet; do
    case $applet in
      busybox | sh | ash) ;;
      *) ln "$root/bin/busybox" "$root/bin/$applet" ;;
    esac
  done
  tree=$(package_tree busybox)
  add_program "$tree" /bin/busybox "$image_work/shell"
  cp -r "$image_work/shell/lib" "$image_work/shell/lib64" "$root"
  cp "$image_work/shell/bin/busybox" "$root/bin/sh"
  rm -r "$image_work/shell"
}

# busybox: a shell and the usual tools; pgrep and ipcs, which busybox lacks, are the real ones.
image_busybox() {
  local tree
  new_root
  base_files
  shell_files
  tree=$(package_tree procps)
  add_program "$tree" /usr/bin/pgrep "$root"
  tree=$(package_tree util-linux)
  add_program "$tree" /usr/bin/ipcs "$root"
  image_layer "$root"
  image_command=(sh)
}

# marked=NAME: busybox with a file /NAME, so that every name makes another image.
image_marked() {
  image_busybox
  new_root
  echo "$1" >"$root/$1"
  image_layer "$root"
}

# user=USER[:GROUP]: busybox that runs as somebody.
image_user() {
  image_busybox
  image_user=$1
}

# groups: busybox whose user 1000 is in the group 50000 of its /etc/group.
image_groups() {
  image_busybox
  new_root
  mkdir "$root/etc"
  printf '%s\n' root:x:0:0:root:/root:/bin/sh default-user:x:1000:1000::/home:/bin/sh \
    nobody:x:65534:65534::/:/bin/false >"$root/etc/passwd"
  printf '%s\n' root:x:0: default-user:x:1000: group-defined-in-image:x:50000:default-user \
    nogroup:x:65534: >"$root/etc/group"
  image_layer "$root"
  image_user=1000
}

# nginx[=PORT]: Debian's nginx in the foreground, port 80 by default.
image_nginx() {
  local tree port=${1:-80}
  tree=$(package_tree nginx nginx-common)
  new_root
  base_files
  shell_files
  add_program "$tree" /usr/sbin/nginx "$root"
  mkdir -p "$root"/{etc/nginx,var/log/nginx,var/lib/nginx,var/www}
  mkdir -p "$root/usr/share/nginx/html"
  cp "$tree/etc/nginx/mime.types" "$root/etc/nginx/"
  cp "$tree/usr/share/nginx/html/index.html" "$root/usr/share/nginx/html/"
  cat >"$root/etc/nginx/nginx.conf" <<CONF
user www-data;
worker_processes 1;
pid /run/nginx.pid;
daemon off;
error_log stderr;
events { worker_connections 256; }
http {
  include mime.types;
  access_log /dev/stdout;
  server { listen $port; root /usr/share/nginx/html; }
}
CONF
  image_layer "$root"
  image_command=(nginx)
  image_ports=("$port")
  image_stop_signal=SIGQUIT
}

# redis: Debian's redis-server, reachable from everywhere, nothing saved; redis-cli beside it.
image_redis() {
  local tree
  tree=$(package_tree redis-server redis-tools)
  new_root
  base_files
  shell_files
  add_program "$tree" /usr/bin/redis-check-rdb "$root"
  add_program "$tree" /usr/bin/redis-cli "$root"
  ln -s redis-check-rdb "$root/usr/bin/redis-server"
  mkdir -p "$root/data"
  image_layer "$root"
  image_entrypoint=(redis-server)
  image_command=(--bind 0.0.0.0 --protected-mode no --save '')
  image_workdir=/data
  image_ports=(6379)
}

# httpd: busybox's web server, which says its name at the start.
image_httpd() {
  image_busybox
  new_root
  mkdir "$root/www"
  echo '<h1>httpd</h1>' >"$root/www/index.html"
  image_layer "$root"
  image_command=(sh -c 'echo "httpd -f -p 80"; exec httpd -f -p 80 -h /www')
  image_ports=(80)
}

# setuid: a set-uid program of root, run by user 1000, that prints its effective user id.
image_setuid() {
  image_busybox
  new_root
  printf '%s\n' '#include <stdio.h>' '#include <unistd.h>' \
    'int main(void) { return printf("Effective uid: %u\n", geteuid()) < 0; }' |
    cc -x c -O2 -static -s -Wl,--build-id=none -o "$root/show-euid" -
  chmod 4755 "$root/show-euid"
  image_layer "$root"
  image_entrypoint=(/show-euid)
  image_user=1000
}

# pause[=NAME]: a program that waits to be ended, and nothing else; every name another image.
image_pause() {
  new_root
  printf '%s\n' '#include <signal.h>' '#include <unistd.h>' \
    'static void end(int signal) { (void)signal; _exit(0); }' \
    'int main(void) { signal(SIGTERM, end); signal(SIGINT, end); for (;;) pause(); }' |
    cc -x c -O2 -static -s -Wl,--build-id=none -o "$root/pause" -
  if [ -n "$1" ]; then : >"$root/$1"; fi
  image_layer "$root"
  image_entrypoint=(/pause)
  image_user=65535:65535
}
