"""The expressions by which other crons are compared: two hundred that both take, and those that only one takes."""

from itertools import product

_FIXED = [f"{minute} {hour} * * *" for minute, hour in product(("0", "5", "30", "45", "0,20,40"), ("0", "1", "2", "3"))]
_HOURS = ["23", "0-3", "1,2,3", "2-3", "22-23,0-1", "1-5/2", "0-23/2", "1/2", "0-23", "12"]
_RANGES = [f"{minute} {hour} * * *" for minute, hour in product(("0", "15", "10-50/20", "59"), _HOURS)]
_STARS = [
    f"{minute} {hour} * * *"
    for minute, hour in product(("*", "*/7", "*/15", "*/30", "*/45", "*,5"), ("*", "*/2", "0", "1", "2", "0-3"))
]
_STARRED_HOURS = [
    f"{minute} {hour} * * *"
    for minute, hour in product(("0", "1", "15", "30", "45", "59", "0-5", "10,40"), ("*", "*/2", "*/3", "*/5"))
]
_DAYS = [
    f"{time} {days}"
    for time, days in product(
        ("0 0", "30 2", "*/30 0-3", "0 */2"),
        (
            *("1 * *", "L * *", "LW * *", "*/2 * *", "29-31 * *", "* 3,4,10,11 *", "* * 0", "* * sun,6", "* * 7L"),
            *("* * 0L,1#1", "* * SUN#1", "* * SUN#2", "L * sun", "1 * mon-fri", "*/7 * fri", "1-7 * */2", "* * 5/2"),
        ),
    )
]
_SECONDS = ["0 30 2 * * *", "*/20 59 1-3 * * *", "*/30 * 1-3 * * *", "10 */20 * * * *"]

BOTH_TAKE = [*_FIXED, *_RANGES, *_STARS, *_STARRED_HOURS, *_DAYS, *_SECONDS]

ONLY_WE_TAKE = ["@daily", "0 0 15W * *", "0 0 * * friL", "0 0 * * fri-sun", "0 0 * * 7-2"]
ONLY_CRONSIM_TAKES = ["*/90 * * * *", "0 0 L/2 * *", "0 0 */29 2 1L"]
NEITHER_TAKES = ["22-1 * * * *", "0 22-1 * * *", "0 0 L-3 * *", "0 0 * * L", "0 0 ? * 1", "0 0 31 2 *", "H * * * *"]
