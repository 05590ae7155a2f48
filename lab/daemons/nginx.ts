import { certify } from '../certificate.ts'
import { untilReady, type Daemon } from './daemon.ts'

export const nginx: Daemon = async (host, _spec, site) => {
  await certify(site.directory, host)
  host.writeFile('/etc/lab/nginx.conf', CONFIG)
  host.start('nginx', ['nginx', '-c', '/etc/lab/nginx.conf'])
  await untilReady(host, 'nginx', () => site.connects(host, 443))
}

/** Folders that nginx makes when it starts, of which the compiled-in ones are of root's own machine. */
export const NGINX_FOLDERS = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path /run/nginx-${name};`).join('\n  ')

const CONFIG = `daemon off;
pid /run/nginx.pid;
error_log stderr warn;
worker_processes 1;
events {}
http {
  access_log off;
  ${NGINX_FOLDERS}
  server {
    listen 80;
    listen [::]:80;
    return 301 https://$host$request_uri;
  }
  server {
    listen 443 ssl;
    listen [::]:443 ssl;
    ssl_certificate /etc/lab/tls.pem;
    ssl_certificate_key /etc/lab/tls.key;
    return 200 "portal $hostname\\n";
  }
}
`
