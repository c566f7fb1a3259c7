//! nginx with the nchan module.

use std::process::Command;

use anyhow::{Context as _, Result};

use super::packages::{debian, said, version};
use super::{Place, Prepared, Server};
use crate::load::{Dialect, Post};

pub(crate) const NCHAN: Server = Server {
    name: "nchan",
    dialect: Dialect::Plain,
    path: "/sub/{stream}",
    post: Post::Nchan,
    prepare,
    rendered: None,
    command,
};

const MODULE: &str = "libnginx-mod-nchan";

fn prepare(_: &Place) -> Result<Prepared> {
    debian(&["nginx-core", MODULE])?;
    let nginx = said(Command::new("nginx").arg("-v"))?;
    let nginx = nginx.rsplit('/').next().context("nginx says its version")?;
    Ok(Prepared {
        version: format!("nginx {nginx}, nchan {}", version(MODULE)?),
        options: "one worker for each core; 512 messages in a channel's buffer, for 5 minutes; \
                  512 MB of shared memory; no logs",
    })
}

fn command(place: &Place, port: u16) -> Result<Command> {
    let file = place.scratch.join("nchan.conf");
    std::fs::write(&file, configuration(place, port))?;
    let mut command = Command::new("nginx");
    command.args(["-e", "stderr", "-p"]).arg(&place.scratch).arg("-c").arg(file);
    Ok(command)
}

fn configuration(place: &Place, port: u16) -> String {
    let folder = place.scratch.display();
    let workers = place.cores;
    // A server that is not root keeps its user, and says that it ignores the line.
    format!(
        "load_module /usr/lib/nginx/modules/ngx_nchan_module.so;
daemon off;
user root;
pid {folder}/nchan.pid;
worker_processes {workers};
worker_rlimit_nofile 60000;
error_log stderr error;
events {{
    worker_connections 50000;
    multi_accept on;
}}
http {{
    access_log off;
    tcp_nodelay on;
    keepalive_timeout 1h;
    keepalive_requests 1000000000;
    client_body_buffer_size 1m;
    client_body_temp_path {folder}/nchan-bodies;
    proxy_temp_path {folder}/nchan-proxy;
    fastcgi_temp_path {folder}/nchan-fastcgi;
    uwsgi_temp_path {folder}/nchan-uwsgi;
    scgi_temp_path {folder}/nchan-scgi;
    nchan_shared_memory_size 512M;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location ~ ^/sub/(\\w+)$ {{
            nchan_subscriber websocket;
            nchan_subscriber_first_message newest;
            nchan_channel_id $1;
        }}
        location ~ ^/publish/(\\w+)$ {{
            nchan_publisher http;
            nchan_channel_id $1;
            nchan_message_buffer_length 512;
            nchan_message_timeout 5m;
        }}
    }}
}}
"
    )
}
