use super::HttpDate;

fn text(seconds: u64) -> String {
    format!("{:?}", HttpDate::from_unix(seconds))
}

#[test]
fn known_dates() {
    let table = [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), // the RFC's example
        (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
        (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"), // 2100 is no leap year
        (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
        (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ];
    for (seconds, expected) in table {
        assert_eq!(text(seconds), expected, "{seconds}");
    }
}

#[test]
fn days_follow_one_another() {
    // Walks 400 years with a calendar of its own and compares.
    let lengths = |year: u64| {
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    };
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut days = 0;
    for year in 1970..2370 {
        for (month, &length) in lengths(year).iter().enumerate() {
            for day in 1..=length {
                let expected = format!("{day:02} {} {year} 12:34:56 GMT", months[month]);
                assert_eq!(&text(days * 86_400 + 45_296)[5..], expected);
                days += 1;
            }
        }
    }
}
