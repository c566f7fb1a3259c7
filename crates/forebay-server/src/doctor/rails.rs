//! A Rails app's `config/cable.yml`: whether its broadcasts leave the process.

use std::path::Path;

use serde_json::Value;

use super::fault::{Fault, Report};

pub(super) fn check(folder: &str, environment: &str, report: &mut Report) {
    let file = Path::new(folder).join("config/cable.yml");
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) => {
            return report.skipped("cable.yml", format!("{}: {error}", file.display()));
        }
    };
    match adapter(&text, environment) {
        Ok(settings) => report.note("cable.yml", fault(&settings, environment)),
        Err(why) => report.skipped("cable.yml", format!("{}: {why}", file.display())),
    }
}

/// The settings of an environment. What ERB would fill in is not known, and only matters where it is the adapter.
fn adapter(text: &str, environment: &str) -> Result<Value, String> {
    let plain = without_erb(text);
    let all: Value = serde_saphyr::from_str(&plain).map_err(|error| error.to_string())?;
    let settings = all.get(environment).filter(|settings| settings.is_object());
    settings.cloned().ok_or_else(|| format!("it has no environment {environment}"))
}

/// Puts a word in the place of each ERB tag.
fn without_erb(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<%") {
        plain.push_str(before);
        let (tag, behind) = after.split_once("%>").unwrap_or((after, ""));
        // Only one that gives something leaves something behind.
        plain.push_str(if tag.starts_with('=') { "erb" } else { "" });
        rest = behind;
    }
    plain + rest
}

fn fault(settings: &Value, environment: &str) -> Option<Fault> {
    let adapter = settings["adapter"].as_str().unwrap_or_default();
    match adapter {
        "async" | "inline" | "test" => Some(Fault {
            name: "adapter_in_process",
            what: format!("config/cable.yml has adapter: {adapter} for {environment}"),
            why: "a broadcast reaches only pages at the very process that makes it: nothing from the console, from jobs, and from other workers of Puma".to_owned(),
            change: format!("config/cable.yml, {environment}: adapter: forebay (or redis, with a url)"),
        }),
        "redis" if settings["channel_prefix"].as_str().is_none_or(str::is_empty) => Some(Fault {
            name: "no_channel_prefix",
            what: format!("config/cable.yml has adapter: redis without a channel_prefix for {environment}"),
            why: "two apps, or staging and production, at one Redis get each other's broadcasts".to_owned(),
            change: format!("config/cable.yml, {environment}: channel_prefix: myapp_{environment}"),
        }),
        "" => Some(Fault {
            name: "no_adapter",
            what: format!("config/cable.yml has no adapter for {environment}"),
            why: "Rails raises as soon as something is broadcast".to_owned(),
            change: format!("config/cable.yml, {environment}: adapter: forebay (or redis, with a url)"),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adapter_that_stays_in_the_process_is_found() {
        let text = "default: &default\n  adapter: redis\n  url: <%= ENV.fetch(\"REDIS_URL\") { \"redis://localhost\" } %>\n\
                    development:\n  adapter: async\n\
                    test:\n  adapter: test\n\
                    staging:\n  <<: *default\n\
                    production:\n  adapter: redis\n  url: <%= ENV['REDIS_URL'] %>\n  channel_prefix: shop_production\n\
                    edge:\n  adapter: <%= ENV['ADAPTER'] %>\n\
                    empty:\n  url: x\n";
        let check = |environment: &str, expected: Option<&str>| {
            let settings = adapter(text, environment).unwrap();
            assert_eq!(fault(&settings, environment).map(|fault| fault.name), expected);
        };
        check("development", Some("adapter_in_process"));
        check("test", Some("adapter_in_process"));
        check("staging", Some("no_channel_prefix"));
        check("production", None);
        check("edge", None);
        check("empty", Some("no_adapter"));
        assert!(adapter(text, "preview").is_err());
        assert!(adapter("{", "production").is_err());
    }
}
