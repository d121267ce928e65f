//! The files that pages need, which are part of the program.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use nsq_app::http::{Answer, Failure, HandlerResult, HeaderValue, Request};

use crate::admin::Admin;

/// A file with its name below `/static/`.
pub(super) struct Asset {
    pub(super) name: &'static str,
    content_type: &'static str,
    content: &'static [u8],
}

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";

pub(super) static HTMX: Asset = Asset {
    name: "htmx.js",
    content_type: JAVASCRIPT,
    content: include_bytes!("../../assets/vendor/htmx.min.js"),
};
pub(super) static MORPH: Asset = Asset {
    name: "idiomorph.js",
    content_type: JAVASCRIPT,
    content: include_bytes!("../../assets/vendor/idiomorph-ext.min.js"),
};
pub(super) static PLOT: Asset = Asset {
    name: "uplot.js",
    content_type: JAVASCRIPT,
    content: include_bytes!("../../assets/vendor/uPlot.iife.min.js"),
};
pub(super) static PLOT_STYLE: Asset = Asset {
    name: "uplot.css",
    content_type: CSS,
    content: include_bytes!("../../assets/vendor/uPlot.min.css"),
};
pub(super) static SCRIPT: Asset = Asset {
    name: "nsqadmin.js",
    content_type: JAVASCRIPT,
    content: include_bytes!("../../assets/nsqadmin.js"),
};
pub(super) static STYLE: Asset = Asset {
    name: "nsqadmin.css",
    content_type: CSS,
    content: include_bytes!("../../assets/nsqadmin.css"),
};
pub(super) static ICON: Asset = Asset {
    name: "favicon.svg",
    content_type: "image/svg+xml",
    content: include_bytes!("../../assets/favicon.svg"),
};

static ALL: [&Asset; 7] = [&HTMX, &MORPH, &PLOT, &PLOT_STYLE, &SCRIPT, &STYLE, &ICON];

impl Asset {
    /// Changes with the content, so that a browser may keep what it has under this number.
    pub(super) fn check(&self) -> u32 {
        crc32fast::hash(self.content)
    }
}

/// `/static/:asset`; from `--dev-static-dir` if there is one.
pub(super) async fn show(admin: Arc<Admin>, request: Request) -> HandlerResult {
    let name = request.parameter().unwrap_or_default();
    let asset = ALL.iter().find(|asset| asset.name == name);
    let asset = asset.ok_or(Failure::not_found("NOT_FOUND"))?;
    let directory = &admin.options.dev_static_dir;
    if !directory.is_empty() {
        // Only names in the list come here: none leads out of the directory.
        let read = tokio::fs::read(Path::new(directory).join(asset.name)).await;
        let content = read.map_err(|_| Failure::not_found("NOT_FOUND"))?;
        let never = HeaderValue::from_static("no-store");
        let answer = Answer::of_type(asset.content_type, content);
        return Ok(answer.with_header("cache-control", never));
    }
    // The links of our pages name the content.
    let long = HeaderValue::from_static("public, max-age=31536000, immutable");
    Ok(Answer::of_type(asset.content_type, Bytes::from_static(asset.content))
        .with_header("cache-control", long)
        .with_header("x-content-type-options", HeaderValue::from_static("nosniff")))
}
