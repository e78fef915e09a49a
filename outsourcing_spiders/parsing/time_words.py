"""What the words of dates and spans of time mean, one row for each language; add a language by adding a row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, auto
from functools import lru_cache
from typing import NamedTuple

from outsourcing_spiders.parsing.words import Vocabulary


class Role(IntEnum):
    """What a word says of the time around it."""

    UNIT = auto()
    ONE = auto()
    """A word for the number 1."""
    AGO = auto()
    BEFORE = auto()
    """Says "ago", but with a deadline "before it" (전)."""
    LEFT = auto()
    """The span is still to come."""
    DEADLINE = auto()
    """The time is one at which something ends."""
    DAY = auto()
    """A day counted from today."""
    NOW = auto()
    """Not longer ago than its value."""
    LABEL = auto()
    """Says nothing of the time."""


class Word(NamedTuple):
    """The role of a word; `value` is the seconds of a unit, or the days of a day from today."""

    role: Role
    value: int = 0


SECOND, MINUTE, HOUR, DAY, WEEK = 1, 60, 3_600, 86_400, 604_800
UNCERTAIN = 0
"""A month or a year: a span of so many of them ends on no known day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """The words of one language, separated by commas; in `months` twelve groups, in order."""

    seconds: str
    minutes: str
    hours: str
    days: str
    weeks: str
    longer: str
    today: str
    yesterday: str
    before_yesterday: str = ""
    tomorrow: str
    ago: str = ""
    before: str = ""
    left: str
    deadline: str
    now: str
    """Just now: how long that lasts differs, on some sites an hour."""
    within_a_minute: str = ""
    one: str = ""
    labels: str = ""
    months: str = ""
    day_first: bool | None = None
    """Whether 08/10/2026 is in October; ``None`` where it may be either."""


LANGUAGES = {
    "en": Language(
        seconds="second, seconds, sec, secs, s",
        minutes="minute, minutes, min, mins, m",
        hours="hour, hours, hr, hrs, h",
        days="day, days, d",
        weeks="week, weeks, wk, wks, w",
        longer="month, months, mo, year, years, yr, yrs",
        today="today",
        yesterday="yesterday",
        tomorrow="tomorrow",
        ago="ago",
        left="left, remaining, in, to go",
        deadline=(
            "ends, ending, closes, closing, close, deadline, due, expires, expiring, before, until, by, valid, send"
        ),
        now="just now, now, moments ago, a moment ago",
        within_a_minute="a few seconds ago, few seconds ago, less than a minute ago",
        one="a, an, one",
        labels="posted, published, on, at, about, and, updated, active, listed, renewed, date, bidding",
        months=(
            "jan, january; feb, february; mar, march; apr, april; may; jun, june; jul, july; aug, august; "
            "sep, sept, september; oct, october; nov, november; dec, december"
        ),
    ),
    "ko": Language(
        seconds="초",
        minutes="분",
        hours="시간",
        days="일",
        weeks="주, 주일",
        longer="개월, 달, 년",
        today="오늘, 금일",
        yesterday="어제",
        before_yesterday="그제, 그저께, 엊그제",
        tomorrow="내일",
        before="전",
        left="남음, 남았습니다, 후, 뒤",
        deadline="마감, 마감일, 까지, 종료",
        now="방금, 지금",
        one="한",
        labels="등록, 등록일, 등록일자, 작성, 작성일, 게시, 모집, 약, 에, 일자, 예정",
    ),
    "ja": Language(
        seconds="秒",
        minutes="分",
        hours="時間",
        days="日",
        weeks="週, 週間",
        longer="ヶ月, か月, カ月, ヵ月, 月, 年",
        today="本日, 今日",
        yesterday="昨日",
        before_yesterday="一昨日, おととい",
        tomorrow="明日",
        before="前",
        left="あと, 残り, 後",
        deadline="締切, 締め切り, 〆切, 期限, まで, 終了, 応募期限",
        now="たった今, さきほど, 先ほど, たったいま",
        labels="掲載, 掲載日, 投稿, 投稿日, 約, 募集, に, 公開, 更新",
    ),
    "zh": Language(
        seconds="秒, 秒钟",
        minutes="分钟, 分",
        hours="小时",
        days="天, 日",
        weeks="周, 星期",
        longer="个月, 月, 年",
        today="今天, 今日",
        yesterday="昨天",
        before_yesterday="前天",
        tomorrow="明天",
        before="前",
        left="剩余, 还剩, 后",
        deadline="截止, 截至, 结束",
        now="刚刚, 刚才",
        labels="发布, 发布于, 约, 于, 更新",
    ),
    "es": Language(
        seconds="segundo, segundos, seg",
        minutes="minuto, minutos, min",
        hours="hora, horas, h",
        days="día, días, dia, dias, d",
        weeks="semana, semanas",
        longer="mes, meses, año, años",
        today="hoy",
        yesterday="ayer",
        before_yesterday="anteayer",
        tomorrow="mañana",
        ago="hace",
        left="quedan, queda, restan, en, dentro de",
        deadline="hasta, cierra, termina, vence, finaliza, antes",
        now="ahora, ahora mismo, justo ahora, recién, hace instantes, hace un momento",
        one="un, una",
        labels="publicado, publicada, el, de, del, y, a, las, la, aproximadamente, fecha",
        months=(
            "ene, enero; feb, febrero; mar, marzo; abr, abril; may, mayo; jun, junio; jul, julio; ago, agosto; "
            "sep, sept, set, septiembre, setiembre; oct, octubre; nov, noviembre; dic, diciembre"
        ),
        day_first=True,
    ),
    "pt": Language(
        seconds="segundo, segundos, seg",
        minutes="minuto, minutos, min",
        hours="hora, horas, h",
        days="dia, dias, d",
        weeks="semana, semanas",
        longer="mês, mes, meses, ano, anos",
        today="hoje",
        yesterday="ontem",
        before_yesterday="anteontem",
        tomorrow="amanhã",
        ago="há, ha, atrás",
        left="restam, resta, faltam, em, daqui a",
        deadline="até, encerra, termina, vence, expira, antes",
        now="agora, agora mesmo, agora há pouco, há instantes",
        one="um, uma",
        labels="publicado, publicada, em, de, do, e, às, as, o, a, cerca, aproximadamente, data",
        months=(
            "jan, janeiro; fev, fevereiro; mar, março; abr, abril; mai, maio; jun, junho; jul, julho; ago, agosto; "
            "set, setembro; out, outubro; nov, novembro; dez, dezembro"
        ),
        day_first=True,
    ),
    "fr": Language(
        seconds="seconde, secondes, sec, s",
        minutes="minute, minutes, min, mn",
        hours="heure, heures, h",
        days="jour, jours, j",
        weeks="semaine, semaines",
        longer="mois, an, ans, année, années",
        today="aujourd'hui",
        yesterday="hier",
        before_yesterday="avant-hier",
        tomorrow="demain",
        ago="il y a",
        left="reste, restent, restants, dans, encore",
        deadline="jusqu'au, avant, clôture, expire, termine",
        now="à l'instant, maintenant, il y a un instant",
        within_a_minute="il y a quelques secondes",
        one="un, une",
        labels="publié, publiée, le, du, de, et, à, environ, posté, déposé",
        months=(
            "janv, janvier; févr, fév, février; mars; avr, avril; mai; juin; juil, juillet; août; "
            "sept, septembre; oct, octobre; nov, novembre; déc, décembre"
        ),
        day_first=True,
    ),
    "de": Language(
        seconds="sekunde, sekunden, sek",
        minutes="minute, minuten, min",
        hours="stunde, stunden, std, h",
        days="tag, tage, tagen",
        weeks="woche, wochen",
        longer="monat, monate, monaten, jahr, jahre, jahren",
        today="heute",
        yesterday="gestern",
        before_yesterday="vorgestern",
        tomorrow="morgen",
        ago="vor",
        left="noch, in, verbleibend",
        deadline="bis, endet, läuft ab, frist, bewerbungsfrist, spätestens",
        now="gerade eben, eben, soeben, jetzt",
        within_a_minute="vor wenigen sekunden, vor einigen sekunden",
        one="ein, eine, einer, einem",
        labels="veröffentlicht, eingestellt, am, um, uhr, und, vom, etwa, ca, der, erstellt",
        months=(
            "jan, januar, jänner; feb, februar; mär, märz; apr, april; mai; jun, juni; jul, juli; aug, august; "
            "sep, sept, september; okt, oktober; nov, november; dez, dezember"
        ),
        day_first=True,
    ),
    "ru": Language(
        seconds="секунда, секунду, секунды, секунд, сек",
        minutes="минута, минуту, минуты, минут, мин",
        hours="час, часа, часов, ч",
        days="день, дня, дней, дн",
        weeks="неделя, неделю, недели, недель, нед",
        longer="месяц, месяца, месяцев, мес, год, года, лет",
        today="сегодня",
        yesterday="вчера",
        before_yesterday="позавчера",
        tomorrow="завтра",
        ago="назад",
        left="осталось, остался, осталась, через, ещё, еще",
        deadline="до, заканчивается, завершится, истекает, срок",
        now="только что, сейчас",
        within_a_minute="менее минуты назад, несколько секунд назад",
        one="один, одну, одна",
        labels="опубликовано, опубликован, размещено, размещён, размещен, в, и, около, примерно, дата, г, обновлено",
        months=(
            "янв, январь, января; фев, февр, февраль, февраля; мар, март, марта; апр, апрель, апреля; май, мая; "
            "июн, июнь, июня; июл, июль, июля; авг, август, августа; сен, сент, сентябрь, сентября; "
            "окт, октябрь, октября; ноя, нояб, ноябрь, ноября; дек, декабрь, декабря"
        ),
        day_first=True,
    ),
    "uk": Language(
        seconds="секунда, секунду, секунди, секунд, сек",
        minutes="хвилина, хвилину, хвилини, хвилин, хв",
        hours="година, годину, години, годин, год",
        days="день, дні, днів, дн",
        weeks="тиждень, тижні, тижнів",
        longer="місяць, місяці, місяців, рік, роки, років",
        today="сьогодні",
        yesterday="вчора, учора",
        before_yesterday="позавчора",
        tomorrow="завтра",
        ago="тому, назад",
        left="залишилось, залишилося, залишився, через, ще",
        deadline="до, закінчується, завершиться, термін",
        now="щойно, зараз",
        one="один, одну, одна",
        labels="опубліковано, розміщено, о, об, в, у, і, та, близько, приблизно, дата",
        months=(
            "січ, січень, січня; лют, лютий, лютого; бер, березень, березня; кві, квіт, квітень, квітня; "
            "тра, трав, травень, травня; чер, черв, червень, червня; лип, липень, липня; сер, серп, серпень, серпня; "
            "вер, вересень, вересня; жов, жовт, жовтень, жовтня; лис, листопад, листопада; гру, груд, грудень, грудня"
        ),
        day_first=True,
    ),
}


@dataclass(frozen=True, slots=True, eq=False)
class TimeWords:
    """The words of some languages together; one object for each choice of languages."""

    vocabulary: Vocabulary[Word]
    months: dict[str, int]
    day_first: bool | None


@lru_cache(maxsize=64)
def time_words(languages: tuple[str, ...]) -> TimeWords:
    """Return the words of `languages`; where two disagree, the first one counts. `ValueError` for one without a row."""
    if unknown := set(languages) - LANGUAGES.keys():
        raise ValueError(
            f"no words of time for {', '.join(sorted(unknown))}; there are those of {', '.join(LANGUAGES)}"
        )
    terms: dict[str, Word] = {}
    months: dict[str, int] = {}
    for language in (LANGUAGES[code] for code in languages):
        for term, word in _terms(language):
            terms.setdefault(term, word)
        for number, names in enumerate(language.months.split("; "), start=1):
            for name in filter(None, names.split(", ")):
                months.setdefault(name, number)
    firsts = {LANGUAGES[code].day_first for code in languages}
    return TimeWords(Vocabulary(terms, numbers="[0-9]+"), months, firsts.pop() if len(firsts) == 1 else None)


def _terms(language: Language) -> Iterable[tuple[str, Word]]:
    # The more a word says, the earlier: what one language means by it twice, such as "em", is what comes first.
    for names, word in (
        (language.within_a_minute, Word(Role.NOW, MINUTE)),
        (language.now, Word(Role.NOW, HOUR)),
        (language.seconds, Word(Role.UNIT, SECOND)),
        (language.minutes, Word(Role.UNIT, MINUTE)),
        (language.hours, Word(Role.UNIT, HOUR)),
        (language.days, Word(Role.UNIT, DAY)),
        (language.weeks, Word(Role.UNIT, WEEK)),
        (language.longer, Word(Role.UNIT, UNCERTAIN)),
        (language.today, Word(Role.DAY, 0)),
        (language.yesterday, Word(Role.DAY, -1)),
        (language.before_yesterday, Word(Role.DAY, -2)),
        (language.tomorrow, Word(Role.DAY, 1)),
        (language.deadline, Word(Role.DEADLINE)),
        (language.ago, Word(Role.AGO)),
        (language.before, Word(Role.BEFORE)),
        (language.left, Word(Role.LEFT)),
        (language.one, Word(Role.ONE)),
        (language.labels, Word(Role.LABEL)),
    ):
        for name in filter(None, names.split(", ")):
            yield name, word
