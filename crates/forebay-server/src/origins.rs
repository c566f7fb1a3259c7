//! `allowed_origins`: ours, and AnyCable's forms translated into them.

use forebay_core::Origins;

/// The origins that one item of the list stands for; `None` if it is none.
///
/// AnyCable compares hosts only, and its `*` is any beginning. So `example.com` is both schemes,
/// and `*example.com`, which there lets `evilexample.com` in as well, is the host and its
/// subdomains.
pub(crate) fn parse(item: &str) -> Option<Vec<String>> {
    if item == "*" {
        return Some(vec![item.to_owned()]);
    }
    // What pages without an origin say; no host is called so.
    let hosts = if item.contains("://") || item == "null" {
        vec![item.to_owned()]
    } else {
        let hosts = match item.strip_prefix('*') {
            Some(host) if !host.starts_with('.') => vec![host.to_owned(), format!("*.{host}")],
            _ => vec![item.to_owned()],
        };
        let both = |host: &String| [format!("https://{host}"), format!("http://{host}")];
        hosts.iter().flat_map(both).collect()
    };
    hosts.iter().all(|origin| Origins::same().and(origin).is_ok()).then_some(hosts)
}

/// Those of a list that was checked.
pub(crate) fn all(items: &[String]) -> Origins {
    let origins: Vec<_> = items.iter().filter_map(|item| parse(item)).flatten().collect();
    if origins.iter().any(|origin| origin == "*") {
        return Origins::any();
    }
    origins.iter().fold(Origins::same(), |all, origin| match all.clone().and(origin) {
        Ok(more) => more,
        Err(_) => all,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anycables_hosts_are_both_schemes() {
        let check = |item: &str, expected: &[&str]| {
            assert_eq!(parse(item).unwrap(), expected, "{item}");
        };
        check("*", &["*"]);
        check("https://example.com", &["https://example.com"]);
        check("http://localhost:*", &["http://localhost:*"]);
        check("example.com:3000", &["https://example.com:3000", "http://example.com:3000"]);
        check("*.example.com", &["https://*.example.com", "http://*.example.com"]);
        check(
            "*example.com",
            &[
                "https://example.com",
                "http://example.com",
                "https://*.example.com",
                "http://*.example.com",
            ],
        );
        check("capacitor://localhost", &["capacitor://localhost"]);
        check("null", &["null"]);
        for bad in ["https://", "a b", "https://a/b", "**", "wss://a", "*.10.0.0.1"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
