//! How much is written, and under which names.

use tracing::Level;

use crate::env::Vars;

/// Settings for logs and metrics, under the names that Powertools for AWS Lambda made known.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who writes. `POWERTOOLS_SERVICE_NAME`, default the function's name.
    pub service: String,
    /// The least severe level written at once; errors always are. `AWS_LAMBDA_LOG_LEVEL`, else
    /// `POWERTOOLS_LOG_LEVEL`, default INFO. Inside an invocation that is not sampled nothing below WARN is.
    pub level: Level,
    /// Fraction of invocations that write from DEBUG on. `POWERTOOLS_LOGGER_SAMPLE_RATE`, 0 to 1, default 0.01.
    pub sample_rate: f64,
    /// `POWERTOOLS_METRICS_NAMESPACE`, default `Sluice`.
    pub namespace: String,
    /// Every invocation is sampled, and lines outside of one are written from DEBUG on. `DEBUG`, default false.
    pub sample_all: bool,
}

const LEVELS: [(&str, Level); 8] = [
    ("TRACE", Level::TRACE),
    ("DEBUG", Level::DEBUG),
    ("INFO", Level::INFO),
    ("WARN", Level::WARN),
    ("WARNING", Level::WARN),
    ("ERROR", Level::ERROR),
    ("FATAL", Level::ERROR),
    ("CRITICAL", Level::ERROR),
];

impl Settings {
    /// Reads the settings; mistakes go into `vars`.
    ///
    /// `AWS_LAMBDA_LOG_FORMAT` is only checked: lines are JSON in both formats.
    pub fn read<L: Fn(&str) -> Option<String>>(vars: &mut Vars<L>, default_service: &str) -> Self {
        let own_level = vars.one_of("POWERTOOLS_LOG_LEVEL", Level::INFO, &LEVELS);
        vars.one_of("AWS_LAMBDA_LOG_FORMAT", (), &[("JSON", ()), ("Text", ())]);
        Self {
            service: vars.text("POWERTOOLS_SERVICE_NAME", default_service),
            level: vars.one_of("AWS_LAMBDA_LOG_LEVEL", own_level, &LEVELS),
            sample_rate: vars.ranged("POWERTOOLS_LOGGER_SAMPLE_RATE", 0.01, 0.0..=1.0),
            namespace: vars.text("POWERTOOLS_METRICS_NAMESPACE", "Sluice"),
            sample_all: vars.flag("DEBUG", false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, crate::env::EnvError> {
        let lookup = |name: &str| {
            pairs
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        };
        let mut vars = Vars::new(lookup);
        let settings = Settings::read(&mut vars, "compress");
        vars.finish().map(|()| settings)
    }

    #[test]
    fn nothing_set_gives_the_documented_defaults() {
        let settings = read(&[]).unwrap();
        assert_eq!(
            (settings.service.as_str(), settings.namespace.as_str()),
            ("compress", "Sluice")
        );
        assert_eq!((settings.level, settings.sample_all), (Level::INFO, false));
        assert!((settings.sample_rate - 0.01).abs() < f64::EPSILON);
    }

    #[test]
    fn the_level_of_lambda_outranks_ours() {
        let both = [
            ("AWS_LAMBDA_LOG_LEVEL", "fatal"),
            ("POWERTOOLS_LOG_LEVEL", "DEBUG"),
        ];
        assert_eq!(read(&both).unwrap().level, Level::ERROR);
        assert_eq!(read(&both[1..]).unwrap().level, Level::DEBUG);
    }

    #[test]
    fn every_wrong_setting_is_reported() {
        let wrong = [
            "POWERTOOLS_LOG_LEVEL",
            "AWS_LAMBDA_LOG_LEVEL",
            "AWS_LAMBDA_LOG_FORMAT",
            "POWERTOOLS_LOGGER_SAMPLE_RATE",
            "DEBUG",
        ];
        let pairs: Vec<_> = wrong.iter().map(|name| (*name, "1.01")).collect();
        let message = read(&pairs).unwrap_err().to_string();
        assert!(
            wrong
                .iter()
                .all(|name| message.contains(&format!("{name}=\"1.01\""))),
            "{message}"
        );
    }
}
