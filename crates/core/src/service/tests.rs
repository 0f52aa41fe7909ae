//! Bounds and encodings of services, notes and conditions.

use super::*;

fn name(name: &str) -> ServiceName {
    ServiceName::new(name).unwrap()
}

fn numbered(count: usize) -> Result<Services, OfferError> {
    let each = (0..count).map(|number| (name(&number.to_string()), Service::new(1)));
    Services::try_from(each.collect::<BTreeMap<_, _>>())
}

#[test]
fn service_name_is_a_label() {
    assert!("db-1".parse::<ServiceName>().is_ok());
    assert!("db.1".parse::<ServiceName>().is_err());
    let bytes = postcard::to_stdvec("Not A Label").unwrap();
    assert!(postcard::from_bytes::<ServiceName>(&bytes).is_err());
}

#[test]
fn weight_is_1_to_1000() {
    let weights = [0, 1, 1_000, 1_001].map(|weight| Weight::new(weight).map(Weight::get));
    assert_eq!(weights, [None, Some(1), Some(1_000), None]);
    let bytes = postcard::to_stdvec(&0_u16).unwrap();
    assert!(postcard::from_bytes::<Weight>(&bytes).is_err());
}

#[test]
fn services_are_added_replaced_and_removed() {
    let one = Services::none().with(name("db"), Service::new(1)).unwrap();
    let two = one.with(name("api"), Service::new(2)).unwrap().with(name("db"), Service::new(3)).unwrap();
    let ports: Vec<_> = two.iter().map(|(name, service)| (name.as_str(), service.port)).collect();
    assert_eq!(ports, [("api", 2), ("db", 3)]);
    assert_eq!((two.get("db").unwrap().port, two.get("web")), (3, None));
    assert_eq!(two.without("api").without("db"), Services::none());
    assert!(Services::none().is_empty() && two.len() == 2);
}

#[test]
fn service_33_is_refused() {
    assert_eq!(numbered(32).unwrap().len(), 32);
    assert_eq!(numbered(33), Err(OfferError::TooMany { found: 33 }));
    let full = numbered(32).unwrap();
    assert_eq!(full.with(name("more"), Service::new(1)), Err(OfferError::TooMany { found: 33 }));
}

#[test]
fn bytes_of_all_services_are_bounded() {
    let of = |len: usize| {
        let meta = Tags::new([("k", "v".repeat(len))]).unwrap();
        Services::none().with(name("db"), Service::new(1).with_meta(meta))
    };
    let room = Services::BYTES_MAX - "dbk".len() - SERVICE_OVERHEAD - META_OVERHEAD;
    assert!(of(room).is_ok());
    assert_eq!(of(room + 1), Err(OfferError::TooLarge { found: Services::BYTES_MAX + 1 }));
}

#[test]
fn services_over_a_bound_are_refused_when_decoded() {
    let map: BTreeMap<String, Service> =
        (0..33).map(|number| (number.to_string(), Service::new(1))).collect();
    let bytes = postcard::to_stdvec(&map).unwrap();
    assert!(postcard::from_bytes::<Services>(&bytes).is_err());
    let services = numbered(32).unwrap();
    assert_eq!(postcard::from_bytes::<Services>(&postcard::to_stdvec(&services).unwrap()), Ok(services));
}

#[test]
fn encoded_services_stay_within_their_bound() {
    let meta = Tags::new((0..64).map(|number| (format!("{number:02}"), ""))).unwrap();
    let longest = |seconds| Condition::Maintenance { seconds, note: Note::default() };
    let each = (0..9).map(|number| {
        let service = Service::new(u16::MAX).with_meta(meta.clone()).with_condition(longest(u32::MAX));
        (name(&number.to_string()), service.with_weight(Weight::MAX))
    });
    let services = Services::try_from(each.collect::<BTreeMap<_, _>>()).unwrap();
    let counted: usize = services.iter().map(|(name, service)| service.byte_len(name)).sum();
    assert!(postcard::to_stdvec(&services).unwrap().len() <= counted + 1);
}

#[test]
fn member_without_services_and_passing_takes_two_bytes() {
    let bytes = postcard::to_stdvec(&(Services::none(), Condition::Passing)).unwrap();
    assert_eq!(bytes, [0, 0]);
}

#[test]
fn note_is_one_short_line() {
    assert_eq!(Note::new(" disk\n full ").as_str(), "disk full");
    assert_eq!(Note::new(&"x".repeat(121)).as_str().len(), 120);
    // 60 two-byte characters and an odd first byte: the cut falls between characters.
    assert_eq!(Note::new(&format!("x{}", "ü".repeat(60))).as_str().len(), 119);
    assert_eq!(Note::new(""), Note::default());
}

#[test]
fn maintenance_is_rounded_up_and_bounded() {
    let length = |given| Condition::maintenance(given, "").maintenance_length();
    assert_eq!(length(Duration::from_millis(1_001)), Some(Duration::from_secs(2)));
    assert_eq!(length(Duration::from_hours(25)), Some(Condition::MAINTENANCE_MAX));
    let hostile = Condition::Maintenance { seconds: u32::MAX, note: Note::default() };
    assert_eq!(hostile.maintenance_length(), Some(Condition::MAINTENANCE_MAX));
    assert_eq!(Condition::Passing.maintenance_length(), None);
}

#[test]
fn condition_tells_health_and_note() {
    let all = [
        Condition::Passing,
        Condition::warning("w"),
        Condition::critical("c"),
        Condition::maintenance(Duration::from_secs(1), "m"),
    ];
    let told: Vec<_> = all.iter().map(|condition| (condition.health().as_str(), condition.note())).collect();
    assert_eq!(told, [("passing", ""), ("warning", "w"), ("critical", "c"), ("maintenance", "m")]);
    assert_eq!(format!("{:<9}|", Health::Warning), "warning  |");
}
