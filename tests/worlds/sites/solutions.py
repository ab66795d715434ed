"""A solution of every task on our sites, in the actions of an agent, and an answer that is wrong.

A step is written as:

* ``go SITE PATH``: the action goto.
* ``click ROLE | NAME``: a click on the first element of that role and name that the agent is shown;
  ``click ROLE | NAME | 2`` on the second. A name that ends in ``...`` is the beginning of one.
* ``type ROLE | NAME | TEXT``: typing, and choosing from a list; ``ROLE#2`` is the second;
  ``enter`` presses Enter afterwards.
* ``press KEYS``.
* ``see TEXT``: the agent is shown this text now, so that it can know the answer.
* ``stop ANSWER``: the end.

A task is (wrong answer, steps). The wrong answer is near the right one where an answer is judged;
where a state or a page is judged, the run is judged before its first step.
"""

# ruff: noqa: E501 -- tasks stand here in their own words

from __future__ import annotations

Solution = tuple[str, list[str]]

ADD = "click button | Add to basket"


def product(number: int, slug: str) -> str:
    """Go to a product."""
    return f"go shop /catalogue/{slug}_{number}/"


SHOP: dict[str, Solution] = {
    "What does the Brass rain gauge cost? Answer with the price alone.": (
        "19.90",
        [
            "enter textbox | Search | brass rain gauge",
            "click link | Brass rain gauge",
            "see 48.00",
            "stop 48.00",
        ],
    ),
    "What does the Ultrasonic anemometer cost? Answer with the price alone.": (
        "36.00",
        [product(9, "ultrasonic-anemometer"), "see 118.00", "stop €118.00"],
    ),
    "What does the Wall map of winds cost? Answer with the price alone.": (
        "18.50",
        [
            "click link | Books and maps",
            "click link | Wall map of winds",
            "see 24.00",
            "stop 24.00",
        ],
    ),
    "How long is the warranty of the Frost bell?": (
        "5 years",
        [product(35, "frost-bell"), "see 10 years", "stop 10 years"],
    ),
    "How long is the warranty of the Cup anemometer?": (
        "3 years",
        [product(8, "cup-anemometer"), "see 2 years", "stop 2 years"],
    ),
    "Who gave the Skylark Two weather station kit its worst review? Answer with the name.": (
        "Ada Okoye",
        [product(2, "skylark-two-weather-station-kit"), "see Otis Brand", "stop Otis Brand"],
    ),
    "Who gave the Cup anemometer its worst review? Answer with the name.": (
        "Lena Forst",
        [product(8, "cup-anemometer"), "see Piet van Loo", "stop Piet van Loo"],
    ),
    "Which product of the category Sensors is the most expensive?": (
        "Snow depth sensor",
        ["click link | Sensors", "see 118.00", "stop Ultrasonic anemometer"],
    ),
    "Which product of the category Tools is the most expensive?": (
        "Bench screwdriver set",
        ["click link | Tools", "see 45.00", "stop Soldering iron, 60 W"],
    ),
    "Which sensor cannot be bought at the moment, because none is in stock?": (
        "Sunshine recorder",
        [
            "click link | Sensors",
            "click link | Snow depth sensor",
            "see Unavailable",
            "stop Snow depth sensor",
        ],
    ),
    "Put a Frost bell into my basket.": ("", [product(35, "frost-bell"), ADD, "stop"]),
    "Put a Slate sundial into my basket.": ("", [product(36, "slate-sundial"), ADD, "stop"]),
    "Open the page of the cheapest thing in the category Garden.": (
        "",
        ["click link | Garden", "click link | Frost bell", "stop"],
    ),
    "Open the page of the cheapest thing in the category Spare parts.": (
        "",
        ["click link | Spare parts", "click link | Battery door, grey", "stop"],
    ),
    "What was the total of my order 100104?": (
        "90.00",
        ["go shop /accounts/orders/100104/", "see 125.60", "stop 125.60"],
    ),
    "What was the total of my order 100109?": (
        "28.00",
        ["go shop /accounts/orders/100109/", "see 37.50", "stop 37.50 euros"],
    ),
    'Write a review of the Soil moisture probe: 5 stars, the title "Honest roots", and the text '
    '"Says what the roots say."': (
        "",
        [
            product(11, "soil-moisture-probe"),
            "click link | Write a review",
            "type textbox | Title * | Honest roots",
            "click generic |  | 6",
            "type textbox | Body * | Says what the roots say.",
            "click button | Save review",
            "stop",
        ],
    ),
    "Order one Weather diary, to be sent to the address that you have of me.": (
        "",
        [
            product(34, "weather-diary"),
            ADD,
            "go shop /basket/",
            "click link | Proceed to checkout",
            "click button | Ship to your default shipping address",
            "click link | Continue",
            "click button | Place order",
            "stop",
        ],
    ),
    "Put a Slate sundial into my basket and use the voucher SHOWERS10.": (
        "",
        [
            product(36, "slate-sundial"),
            ADD,
            "go shop /basket/",
            "click link | I have a voucher code...",
            "type textbox | Code * | SHOWERS10",
            "click button | Add voucher",
            "see 66.60",
            "stop",
        ],
    ),
    "Add the Sunshine recorder to my wish list.": (
        "",
        [product(14, "sunshine-recorder"), "click button | Add to wish list", "stop"],
    ),
    "Put one Snow depth sensor into my basket. Answer N/A if that cannot be done.": (
        "It is in the basket.",
        [product(15, "snow-depth-sensor"), "see Unavailable", "stop N/A"],
    ),
    "What does the Hail counter cost? Answer N/A if the shop does not have it.": (
        "48.00",
        ["enter textbox | Search | hail counter", "see 0", "stop N/A"],
    ),
    "You are the owner. Who has ordered a Snow depth sensor? Answer with the name of the customer.": (
        "Ada Okoye",
        ["go shop /dashboard/orders/?product_title=Snow", "see Sven Dahl", "stop Sven Dahl"],
    ),
}

FORUM: dict[str, Solution] = {
    "Which wind speed did otis_brand report for the storm of 27 December? Answer with the number.": (
        "24.8",
        ["click link | Storm of 27 December", "see 26.1 metres", "stop 26.1"],
    ),
    "Which wind speed did sven_dahl report for the storm of 27 December? Answer with the number.": (
        "26.1",
        ["click link | Storm of 27 December", "see 31.4 up here", "stop 31.4"],
    ),
    "From which serial number on does firmware 2.1 run on the Skylark One?": (
        "2100",
        ["go forum /topic/23/", "see serial number 2400", "stop 2400"],
    ),
    'How many likes has the first comment of the topic "Mast on a boat house"?': (
        "4",
        ["go forum /topic/12/", "see like (5)", "stop 5"],
    ),
    'How many likes has the first comment of the topic "At 610 metres"?': (
        "5",
        ["go forum /topic/14/", "see like (4)", "stop 4"],
    ),
    "Who had the first frost of 2025, as far as the members report it? Answer with the name of the "
    "member.": (
        "piet_vanloo",
        ["go forum /topic/16/", "see 28 September", "stop sven_dahl"],
    ),
    "Ines Halloway has reserved a table for me at the open day. What is its number?": (
        "16",
        [
            "go forum /topic/private/",
            "click link | Your place at the open day",
            "see number is 6",
            "stop 6",
        ],
    ),
    'Start a topic in the category Weather talk with the title "Halo around the moon" and the text '
    '"Two rings at ten in the evening."': (
        "",
        [
            "go forum /topic/publish/",
            "type textbox | Title: | Halo around the moon",
            "type combobox | Category: | Weather talk",
            "type textbox | Comment: | Two rings at ten in the evening.",
            "click button | Publish",
            "stop",
        ],
    ),
    'Start a topic in the category Swap and sell with the title "Giving away a mast" and the text '
    '"Three metres, a little bent."': (
        "",
        [
            "go forum /topic/publish/8/",
            "type textbox | Title: | Giving away a mast",
            "type textbox | Comment: | Three metres, a little bent.",
            "click button | Publish",
            "stop",
        ],
    ),
    'Reply to the topic "Looking for a barograph" with "My uncle may have one."': (
        "",
        [
            "go forum /topic/25/",
            "type textbox | Write comment... | My uncle may have one.",
            "click button | Publish",
            "stop",
        ],
    ),
    'Reply to the topic "Classroom wall" with "Well measured!"': (
        "",
        [
            "go forum /topic/15/",
            "type textbox | Write comment... | Well measured!",
            "click button | Publish",
            "stop",
        ],
    ),
    "Like the comment in which sven_dahl says how to cure a squeaking anemometer.": (
        "",
        ["go forum /topic/6/", "click link | like (3)", "see remove like (4)", "stop"],
    ),
    "Vote for March in the poll about the windiest month.": (
        "",
        ["go forum /topic/19/", "click radio | March", "click button | Vote", "stop"],
    ),
    'Change my comment "March, by a whisker." to "March, by a mile."': (
        "",
        [
            "go forum /topic/19/",
            "click link | edit",
            "type textbox | Comment: | March, by a mile.",
            "click button | Publish",
            "stop",
        ],
    ),
    'You are a moderator. Close the topic "Selling: Skylark One, 2023".': (
        "",
        ["go forum /topic/24/", "click link | Moderate...", "click link | Close topic...", "stop"],
    ),
    "Open the topic in which somebody looks for testers of a beta.": (
        "",
        ["click link | Beta of 2.2: who wants to test?", "stop"],
    ),
    'Give the last comment of the topic "Prices of cables go down" a dislike. Answer N/A if that '
    "cannot be done.": (
        "Done.",
        ["go forum /topic/4/", "see like", "stop N/A"],
    ),
    "What is the email address of nora_pell? Answer N/A if the forum does not tell.": (
        "nora_pell@example.com",
        ["go forum /user/11/", "see nora_pell", "stop N/A"],
    ),
}

CHECKLIST = """= Release checklist =

 1. All tickets of the milestone are closed.
 2. Two stations have run for seven days.
 3. The manual is printed and read by somebody who has not written it.
 4. Tag, build, upload.
 5. Tell the forum.
"""

CODE: dict[str, Solution] = {
    "Who reported the ticket #5? Answer with the full name.": (
        "Lena Forst",
        ["go code /ticket/5", "see Mara Quill", "stop Mara Quill"],
    ),
    "Who reported the ticket #19? Answer with the full name.": (
        "Tobias Reed",
        ["go code /ticket/19", "see Lena Forst", "stop Lena Forst"],
    ),
    "How many tickets of the milestone 2.2 are still open?": (
        "10",
        ["go code /milestone/2.2", "see active", "see 11", "stop 11"],
    ),
    "How many tickets of the milestone 3.0 are still open?": (
        "4",
        ["go code /milestone/3.0", "see active", "see 3", "stop 3"],
    ),
    "When is the milestone 3.0 due? Answer as YYYY-MM-DD.": (
        "2026-03-31",
        ["click link | Roadmap", "see 2026-11-15", "stop 2026-11-15"],
    ),
    "When is the milestone 2.2 due? Answer as YYYY-MM-DD.": (
        "2026-11-15",
        ["click link | Roadmap", "see 2026-03-31", "stop 2026-03-31"],
    ),
    'With which resolution was the ticket "Display: show moon phase" closed?': (
        "fixed",
        ["go code /ticket/15", "see wontfix", "stop wontfix"],
    ),
    'With which resolution was the ticket "Barometer shows 1100 hPa at start" closed?': (
        "invalid",
        ["go code /ticket/3", "see worksforme", "stop worksforme"],
    ),
    'File a defect with the summary "Backlight stays on at night" for the component display.': (
        "",
        [
            "click link | New Ticket",
            "type textbox | Summary: | Backlight stays on at night",
            "type combobox | Component: | display",
            "click button | Create ticket",
            "stop",
        ],
    ),
    'File a task with the summary "Test the export with a leap year" for the component storage.': (
        "",
        [
            "go code /newticket",
            "type textbox | Summary: | Test the export with a leap year",
            "type combobox | Type: | task",
            "type combobox | Component: | storage",
            "click button | Create ticket",
            "stop",
        ],
    ),
    'Comment on the ticket #13 with "Sand dries slower than expected."': (
        "",
        [
            "go code /ticket/13",
            "type textbox | You may use... | Sand dries slower than expected.",
            "click button | Submit changes",
            "stop",
        ],
    ),
    "The ticket #21 is done. Close it as fixed.": (
        "",
        [
            "go code /ticket/21",
            "click link | Modify Ticket",
            "click radio | resolve...",
            "click button | Submit changes",
            "stop",
        ],
    ),
    "Set the priority of the ticket #11 to minor.": (
        "",
        [
            "go code /ticket/11",
            "click link | Modify Ticket",
            "type combobox | Priority: | minor",
            "click button | Submit changes",
            "stop",
        ],
    ),
    "Set the priority of the ticket #9 to major.": (
        "",
        [
            "go code /ticket/9",
            "click link | Modify Ticket",
            "type combobox | Priority: | major",
            "click button | Submit changes",
            "stop",
        ],
    ),
    "How many bytes of a radio message are readings, by the wiki?": (
        "2",
        ["go code /wiki/RadioProtocol", "see 18", "stop 18"],
    ),
    "How many tips must the brass rain gauge count for 200 ml, by the wiki?": (
        "200",
        ["go code /wiki/CalibrationGuide", "see 50 tips", "stop 50"],
    ),
    'Add the line "6. Drink tea." at the end of the wiki page ReleaseChecklist.': (
        "",
        [
            "go code /wiki/ReleaseChecklist?action=edit",
            f"type textbox#2 | ... | {CHECKLIST} 6. Drink tea.",
            "click button | Submit changes",
            "stop",
        ],
    ),
    'Make a wiki page SoilProbes with the text "Sand first, clay second."': (
        "",
        [
            "go code /wiki/SoilProbes?action=edit",
            "type textbox#2 | ... | Sand first, clay second.",
            "click button | Submit changes",
            "stop",
        ],
    ),
    "What is the value of DEGREES_PER_PERCENT in src/sensors.c, on the branch main?": (
        "30",
        ["go code /browser/src/sensors.c", "see 0.005", "stop 0.005"],
    ),
    "What is the value of SAVE_MINUTES in src/storage.c, on the branch main?": (
        "20",
        [
            "click link | Browse Source",
            "click link | src",
            "click link | storage.c",
            "see 10",
            "stop 10",
        ],
    ),
    'Who made the commit "Wind direction is a mean of vectors (#8)"? Answer with the full name.': (
        "Tobias Reed",
        ["go code /log/src/wind.c", "see Sven Dahl", "stop Sven Dahl"],
    ),
    "Open the page of the milestone that is about stations speaking to one another.": (
        "",
        ["click link | Roadmap", "click link | Milestone: 3.0", "stop"],
    ),
    "You manage the milestones. Move the due date of the milestone 2.2 to 2026-04-15.": (
        "",
        [
            "go code /milestone/2.2?action=edit",
            "type textbox#3 | ... | 2026-04-15",
            "click button | Submit changes",
            "stop",
        ],
    ),
    "Delete the ticket #9. Answer N/A if that cannot be done.": (
        "Deleted.",
        ["go code /ticket/9", "stop N/A"],
    ),
    "What is the due date of the milestone 4.0? Answer N/A if there is no such milestone.": (
        "2026-11-15",
        ["click link | Roadmap", "stop N/A"],
    ),
}


def edit(page: int) -> str:
    """Go to the editor of a page."""
    return f"go cms /admin/pages/{page}/edit/"


NEWS = "go cms /admin/pages/add/pages/newspage/16/"
PUBLISH = ["click button | More actions", "click button | Publish", "stop"]

CMS: dict[str, Solution] = {
    'Where does the event "Cloud walk" take place?': (
        "The net loft",
        [
            "click link | Events",
            "click link | Cloud walk",
            "see Harbour light",
            "stop Harbour light",
        ],
    ),
    'Where does the event "Lecture: two hundred winds" take place?': (
        "Alderhaven library",
        ["go cms /events/two-hundred-winds/", "see Town hall", "stop Town hall, Alderhaven"],
    ),
    'At what time does the event "Repair evening" begin? Answer as HH:MM.': (
        "21:00",
        ["go cms /events/repair-evening/", "see 18:00", "stop 18:00"],
    ),
    'At what time does the event "Cloud walk" begin? Answer as HH:MM.': (
        "09:00",
        ["go cms /events/cloud-walk/", "see 06:30", "stop 06:30"],
    ),
    "Under which extension can Bea Lindqvist be reached by telephone? Answer with the number.": (
        "18",
        ["click link | People", "click link | Bea Lindqvist", "see ext. 17", "stop 17"],
    ),
    "Under which extension can Karim Nasser be reached by telephone? Answer with the number.": (
        "17",
        ["go cms /people/karim-nasser/", "see ext. 18", "stop ext. 18"],
    ),
    "What does an hour of repair cost, after the first half hour?": (
        "30 euros",
        [
            "enter textbox | Search this site | repair",
            "click link | Repairs",
            "see 38 euros",
            "stop 38 euros",
        ],
    ),
    "In which year was the net loft built?": (
        "2009",
        ["go cms /about/net-loft/", "see 1887", "stop 1887"],
    ),
    "Send the workshop a message with the contact form: name Jon Ferris, address jon@example.com, "
    'topic Repair, message "My vane points south all day."': (
        "",
        [
            "click link | Contact",
            "type textbox | Your name | Jon Ferris",
            "type textbox | Your email | jon@example.com",
            "type combobox | Topic | Repair",
            "type textbox | Message | My vane points south all day.",
            "click button | Send",
            "see two working days",
            "stop",
        ],
    ),
    "Visitors write with the contact form. Who asked about the snow depth sensor? Look in the "
    "management.": (
        "Hugo Marsh",
        [
            "click link | Forms",
            "click link | Contact",
            "see Nora Pell",
            "stop Nora Pell",
        ],
    ),
    'Publish the draft "Beta of Skylark 2.2".': ("", [edit(24), *PUBLISH]),
    'Change the telephone of Otis Brand to "ext. 16" and publish the page.': (
        "",
        [edit(12), "type textbox | Phone | ext. 16", *PUBLISH],
    ),
    'Change the role of Wim de Groot to "Apprentice, third year" and publish the page.': (
        "",
        [edit(15), "type textbox | Role* | Apprentice, third year", *PUBLISH],
    ),
    'More people want to come to "Repair evening". Set its seats to 40 and publish the page.': (
        "",
        [edit(29), "type spinbutton | Seats* | 40", *PUBLISH],
    ),
    'Publish a piece of news with the title "Snow sensors are back", the date 2026-03-02 and the '
    'intro "Forty of them, before the thaw."': (
        "",
        [
            NEWS,
            "type textbox | Title* | Snow sensors are back",
            "type textbox | Date* | 2026-03-02",
            "type textbox | Intro | Forty of them, before the thaw.",
            *PUBLISH,
        ],
    ),
    'Take the page "Old price list" off the public site, without deleting it.': (
        "",
        [
            edit(33),
            "click button | More actions",
            "click link | Unpublish",
            "click button | Yes, unpublish it",
            "stop",
        ],
    ),
    "Open the page that says when apprentices can apply.": (
        "",
        ["click link | About us", "click link | Apprentices", "stop"],
    ),
    "Delete the user otis from the management. Answer N/A if that cannot be done.": (
        "Deleted.",
        ["go cms /admin/users/", "stop N/A"],
    ),
    "Which event takes place in July 2026? Answer N/A if there is none.": (
        "Lecture: two hundred winds",
        ["click link | Events", "see June 2026", "stop N/A"],
    ),
}

CROSS: dict[str, Solution] = {
    "A member of the forum cured a squeaking anemometer with a part from the shop. Put one of that "
    "part into my basket.": (
        "",
        [
            "click link | Anemometer squeaks",
            "see FW-3001",
            product(16, "anemometer-bearing-set"),
            "see FW-3001",
            ADD,
            "stop",
        ],
    ),
    "The ticket #7 is also a topic in the category Help of the forum. Which member started that "
    "topic?": (
        "ada_okoye",
        ["go code /ticket/7", "see loses contact", "go forum /topic/5/", "see otis_brand",
         "stop otis_brand"],
    ),
    "The ticket #12 is also a topic in the category Help of the forum. Which member started that "
    "topic?": (
        "tobias_reed",
        ["go code /ticket/12", "see too warm", "go forum /topic/10/", "see nora_pell",
         "stop nora_pell"],
    ),
    "The site of the workshop says at which hour there is soup at the open day. Reply to the topic "
    'about the open day in the forum with that hour, in words such as "Soup at 9".': (
        "",
        [
            "go cms /events/open-day-2026/",
            "see soup at 13",
            "go forum /topic/3/",
            "type textbox | Write comment... | Soup at 13",
            "click button | Publish",
            "stop",
        ],
    ),
    "Is the price of the cable of three metres in the news of the workshop the same as in the shop? "
    "Answer yes or no, and name the price in the shop.": (
        "no, 16.90",
        [
            "go cms /news/cables-cost-less/",
            "see 8.90",
            product(22, "sensor-cable-3-m"),
            "see 8.90",
            "stop Yes, 8.90 euros",
        ],
    ),
    "Somebody wishes in the forum for an export as CSV. Comment on the ticket that was made of it "
    'with "Also asked for in the forum."': (
        "",
        [
            "go forum /topic/20/",
            "see Ticket #4",
            "go code /ticket/4",
            "type textbox | You may use... | Also asked for in the forum.",
            "click button | Submit changes",
            "stop",
        ],
    ),
    "Publish a piece of news on the site of the workshop with the title \"Skylark 2.2 is due on "
    "DATE\", where DATE is the due date of the milestone 2.2 as YYYY-MM-DD. The date of the news is "
    "2026-03-02.": (
        "",
        [
            "go code /milestone/2.2",
            "see 2026-03-31",
            NEWS,
            "type textbox | Title* | Skylark 2.2 is due on 2026-03-31",
            "type textbox | Date* | 2026-03-02",
            *PUBLISH,
        ],
    ),
    'For the event "Build your own barometer" I want the book of the same name. On which date is '
    "the event, and what does the book cost?": (
        "12 March, 21.00",
        [
            "go cms /events/build-your-own-barometer/",
            "see 21 March",
            product(32, "build-your-own-barometer"),
            "see 12.00",
            "stop 21 March 2026, 12.00 euros",
        ],
    ),
    "The radio module in the shop needs a certain firmware. On which date was that version "
    "released, by the milestones of the tracker? Answer as YYYY-MM-DD.": (
        "2025-05-28",
        [
            product(24, "radio-module-868-mhz"),
            "see firmware 2.1",
            "go code /milestone/2.1",
            "see 2025-09-25",
            "stop 2025-09-25",
        ],
    ),
    "Put the book that Ines Halloway wrote, by her page on the site of the workshop, into my "
    "basket.": (
        "",
        [
            "go cms /people/ines-halloway/",
            "see Reading the Sky",
            product(31, "reading-the-sky"),
            ADD,
            "stop",
        ],
    ),
    "Put the rain gauge that the forum recommends for measuring hail into my basket. Answer N/A if "
    "nothing is recommended.": (
        "Brass rain gauge",
        ["go forum /search/?q=hail", "stop N/A"],
    ),
}  # fmt: skip

SOLUTIONS: dict[str, Solution] = {**SHOP, **FORUM, **CODE, **CMS, **CROSS}
"""By what is asked."""
