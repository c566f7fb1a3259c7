//! Streams that lack a broadcast: nobody who reads them is left without a word.

use super::*;

#[test]
fn readers_of_a_stream_that_lacks_something_heal_themselves() {
    let hub = Hub::new(Options::default());
    let rendered = hub.position();
    let (mut room, mut hall) = (Page::open(&hub), Page::open(&hub));
    room.subscribe("room", Some(rendered));
    hall.subscribe("hall", Some(rendered));
    room.signals();
    hub.gap(["room", "room"]).block_on();
    assert_eq!((room.wakes(), hub.stats().gaps.get()), (1, 1));
    assert_eq!((room.read(), hall.read()), (vec!["lost".to_owned()], Vec::new()));
    say(&hub, "room", "1");
    assert_eq!(room.read(), ["1"]);
    // One that was away, or is rendered afterwards.
    let fresh = hub.position();
    Page::open(&hub).subscribe("room", Some(rendered));
    assert_eq!(hub.stats().snapshot().resyncs_forgotten, 1);
    Page::open(&hub).subscribe("room", Some(fresh));
    assert_eq!(hub.stats().snapshot().resyncs_forgotten, 1);
}

#[test]
fn a_gap_outlives_the_process_whether_the_disk_takes_it_or_not() {
    for fails in [0, 1, 2] {
        let folder = tempfile::TempDir::new().unwrap();
        let open = || Hub::open(Options::default(), folder.path(), Fsync::Os).unwrap();
        let hub = open();
        say(&hub, "room", "1");
        let before = hub.position();
        hub.fail_next_for_tests(fails);
        if fails > 0 {
            let message = Message::json("2");
            let refused = Broadcast { stream: "room", message, class: Class::Log };
            assert!(hub.publish(refused).block_on().is_err());
        }
        hub.gap(["room"]).block_on();
        let head = hub.position().offset;
        drop(hub);
        let hub = open();
        assert!(hub.replay("room", before).is_err(), "its pages are told, fails: {fails}");
        assert!(hub.position().offset >= head, "no offset is given twice");
        let goes_on = hub.position().epoch == before.epoch;
        assert_eq!(goes_on, fails < 2, "the disk had taken it");
    }
}

/// What makes broadcasts is the application's: it may ask the hub, and takes as long as it takes.
#[test]
fn no_lock_is_held_while_broadcasts_are_made() {
    let hub = Hub::new(Options::default());
    let made = ["1", "2"].map(|json| {
        let hub = hub.clone();
        move || {
            hub.replay("room", hub.position()).unwrap();
            Broadcast { stream: "room", message: Message::json(json), class: Class::Log }
        }
    });
    let published = hub.publish_all(made.iter().map(|make| make())).block_on().unwrap();
    assert_eq!(published.len(), 2);
}

/// What is not written says nothing of the disk: a typing notice, or that something is missing.
#[test]
fn trouble_with_the_disk_ends_when_it_takes_something() {
    let folder = tempfile::TempDir::new().unwrap();
    let hub = Hub::open(Options::default(), folder.path(), Fsync::Os).unwrap();
    let publish = |class| {
        let broadcast = Broadcast { stream: "room", message: Message::json("1"), class };
        hub.publish(broadcast).block_on()
    };
    hub.fail_next_for_tests(1);
    assert!(publish(Class::Log).is_err());
    assert!(hub.trouble().is_some());
    publish(Class::Ephemeral).unwrap();
    hub.gap(["room"]).block_on();
    assert!(hub.trouble().is_some());
    publish(Class::Log).unwrap();
    assert_eq!(hub.trouble(), None);
}

/// Whoever was killed before it had noted the answer asks again.
#[test]
fn what_has_a_name_is_published_once() {
    let publish = |hub: &Hub, name, text: &str| {
        let message = Message::json(text);
        let broadcast = Broadcast { stream: "room", message, class: Class::Log };
        hub.publish_once(name, vec![broadcast]).block_on().unwrap()
    };
    let hub = Hub::new(Options::default());
    let mut page = Page::open(&hub);
    page.subscribe("room", Some(hub.position()));
    let first = publish(&hub, "row 1", "1");
    assert_eq!(first, publish(&hub, "row 1", "1"));
    publish(&hub, "row 2", "2");
    assert_eq!(page.read(), ["1", "2"]);

    let folder = tempfile::TempDir::new().unwrap();
    let open = || Hub::open(Options::default(), folder.path(), Fsync::Os).unwrap();
    let hub = open();
    let first = publish(&hub, "row 1", "1");
    assert_eq!(first, publish(&hub, "row 1", "1"));
    drop(hub);
    let hub = open();
    assert_eq!(first, publish(&hub, "row 1", "1"));
    assert!(publish(&hub, "row 2", "2").offset > first.offset);
}
