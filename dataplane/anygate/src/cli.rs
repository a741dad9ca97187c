//! The command line: one declaration a command, from which help comes.

mod serve;
mod show;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// AnyGate: HTTP from the NIC's queues, all in user space.
#[derive(Parser, Debug)]
#[command(name = "anygate", version)]
pub struct Arguments {
    #[command(subcommand)]
    command: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Serve a configuration
    ///
    /// Creates nothing on the host but what the configuration's `ports` name. SIGTERM and SIGINT drain, SIGHUP reloads.
    Serve {
        /// Configuration: YAML, TOML, JSON, or a bare `.routes` file
        #[arg(short, long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Check a configuration: every error with its line, and what to write instead
    Check {
        /// Configuration
        #[arg(short, long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Print the routes as a tree
    Routes {
        /// Configuration
        #[arg(short, long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Say which rule answers a request, and why
    ///
    /// Example: anygate explain -c site.yaml GET /a/b
    Explain {
        /// Configuration
        #[arg(short, long, value_name = "FILE")]
        config: PathBuf,
        /// Host that the request names
        #[arg(long)]
        host: Option<String>,
        /// Method, such as GET
        method: String,
        /// Path or whole URL
        url: String,
    },
    /// Print the JSON Schema of the configuration, for editors
    Schema,
}

/// Runs the command; what it has to say goes to standard output, errors to standard error.
pub fn run(arguments: Arguments) -> ExitCode {
    match arguments.command {
        What::Serve { config } => serve::serve(&config),
        What::Check { config } => show::check(&config),
        What::Routes { config } => show::routes(&config),
        What::Explain { config, host, method, url } => show::explain(&config, host.as_deref(), &method, &url),
        What::Schema => show::schema(),
    }
}

/// A request that is asked about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// The method.
    pub method: router::Method,
    /// The host, from the URL or beside it.
    pub host: Option<String>,
    /// The path, without the query.
    pub path: String,
}

impl Asked {
    /// From a method and a path or URL; the text says what is wrong.
    pub fn parse(method: &str, url: &str, host: Option<&str>) -> Result<Asked, String> {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if method.is_empty() || !method.chars().all(is_token) {
            return Err(format!("`{method}` is not a method; write it as GET"));
        }
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        let (of_url, path) = match rest {
            Some(rest) => rest.find(['/', '?', '#']).map_or((Some(rest), "/"), |at| (Some(&rest[..at]), &rest[at..])),
            None => (None, url),
        };
        let path = path.split(['?', '#']).next().unwrap_or("");
        let path = if path.is_empty() { "/" } else { path };
        if !path.starts_with('/') && path != "*" {
            return Err(format!("`{url}` is neither a path such as /a/b nor a URL such as http://example.org/a/b"));
        }
        let host = host.or(of_url).map(str::to_owned);
        Ok(Asked { method: router::Method::from_token(method.as_bytes()), host, path: path.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_gives_host_and_path() {
        let asked = Asked::parse("GET", "http://example.org:80/a/b?c", None).unwrap();
        assert_eq!((asked.host.as_deref(), asked.path.as_str()), (Some("example.org:80"), "/a/b"));
        assert_eq!(Asked::parse("GET", "http://example.org", None).unwrap().path, "/");
        assert_eq!(Asked::parse("GET", "/x", Some("h")).unwrap().host.as_deref(), Some("h"));
        assert!(Asked::parse("GET", "x", None).is_err());
        assert!(Asked::parse("G T", "/x", None).is_err());
    }
}
