//! `kinfolk services [SERVICE]`: shows the services of all members, or the instances of one.

use super::{json, json_lines, print, rtt};
use crate::api::views::{InstanceView, ServiceCountView, ServiceView, ServicesView};
use crate::cli::{Output, ServicesArgs};
use crate::client::{Client, block_on};
use crate::exit::Failure;
use crate::render::{Cell, Paint, Tone, table, tags};

pub(crate) fn run(args: &ServicesArgs) -> Result<(), Failure> {
    let client = Client::new(&args.connect)?;
    let paint = Paint::of_stdout();
    let text = match &args.service {
        None => {
            let view: ServicesView = block_on(client.get("/v1/services"))?;
            match args.output {
                Output::Json => json(&view)?,
                Output::Jsonl => json_lines(&view.services)?,
                Output::Table | Output::Wide => all(paint, &view),
            }
        }
        Some(service) => {
            let view: ServiceView = block_on(client.get(&format!("/v1/services/{service}")))?;
            match args.output {
                Output::Json => json(&view)?,
                Output::Jsonl => json_lines(&view.instances)?,
                Output::Table => instances(paint, &view, false),
                Output::Wide => instances(paint.uncut(), &view, true),
            }
        }
    };
    print(&text)
}

fn all(paint: Paint, view: &ServicesView) -> String {
    if view.services.is_empty() {
        return "no member offers a service; give one in the configuration as [services.NAME]\n".to_owned();
    }
    let count = |tone, count: usize| Cell::new(if count == 0 { Tone::Plain } else { tone }, count);
    let row = |service: &ServiceCountView| {
        vec![
            Cell::new(Tone::Strong, &service.name),
            Cell::plain(service.instances),
            count(Tone::Good, service.passing),
            count(Tone::Warning, service.warning),
            count(Tone::Bad, service.critical),
            count(Tone::Left, service.maintenance),
        ]
    };
    let headings = ["service", "instances", "passing", "warning", "critical", "maintenance"];
    table(paint, &headings, &view.services.iter().map(row).collect::<Vec<_>>())
}

fn instances(paint: Paint, view: &ServiceView, wide: bool) -> String {
    let mut headings = vec!["member", "address", "health", "weight", "rtt"];
    if wide {
        headings.extend(["meta", "tags"]);
    }
    let row = |instance: &InstanceView| {
        let health = match instance.note.as_str() {
            "" => instance.health.to_string(),
            note => format!("{} ({note})", instance.health),
        };
        let mut row = vec![
            Cell::new(Tone::Strong, &instance.node),
            Cell::plain(instance.addr),
            Cell::new(Tone::of_health(instance.health), health),
            Cell::plain(instance.weight),
            Cell::plain(rtt(instance.rtt_us)),
        ];
        if wide {
            row.extend([Cell::plain(tags(&instance.meta)), Cell::plain(tags(&instance.tags))]);
        }
        row
    };
    table(paint, &headings, &view.instances.iter().map(row).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use kinfolk::{Health, Tags};

    use super::*;

    #[test]
    fn instances_have_a_line_each() {
        let instance = InstanceView {
            node: "web-1".parse().unwrap(),
            addr: ([10, 0, 0, 1], 80).into(),
            weight: 100,
            meta: Tags::new([("version", "17")]).unwrap(),
            health: Health::Warning,
            note: "slow".to_owned(),
            tags: Tags::new([("zone", "a")]).unwrap(),
            rtt_us: Some(1_250),
        };
        let view = ServiceView { name: "web".to_owned(), instances: vec![instance] };
        let narrow = "\
member  address      health          weight  rtt
web-1   10.0.0.1:80  warning (slow)  100     1.2 ms
";
        assert_eq!(instances(Paint::off(), &view, false), narrow);
        let wide = instances(Paint::off(), &view, true);
        assert!(wide.ends_with("1.2 ms  version=17  zone=a\n"), "{wide}");
    }

    #[test]
    fn services_are_counted_by_health() {
        let mut count = ServiceCountView::new("db");
        for health in [Health::Passing, Health::Passing, Health::Critical] {
            count.count(health);
        }
        let text = all(Paint::off(), &ServicesView { services: vec![count] });
        let expected = "\
service  instances  passing  warning  critical  maintenance
db       3          2        0        1         0
";
        assert_eq!(text, expected);
        assert!(all(Paint::off(), &ServicesView { services: Vec::new() }).contains("[services.NAME]"));
    }
}
