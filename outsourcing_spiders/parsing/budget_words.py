"""What words and signs mean in a budget, in the languages of the platforms; add a language by adding words."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import IntEnum, auto
from typing import NamedTuple

from outsourcing_spiders.items import Period
from outsourcing_spiders.parsing.words import Vocabulary


class Role(IntEnum):
    """What a word does to the amounts around it."""

    CURRENCY = auto()
    TIMES = auto()
    """Multiplies the number before it."""
    MYRIAD = auto()
    """Likewise, in the counting of East Asia, where 1万5千 is 15,000."""
    RANGE = auto()
    LOWER_BEFORE = auto()
    LOWER_AFTER = auto()
    LOWER = auto()
    UPPER_BEFORE = auto()
    UPPER_AFTER = auto()
    UPPER = auto()
    PERIOD = auto()
    LIKELY_TOTAL = auto()
    """Says "total" where no other period is given."""
    UNIT = auto()
    """A span of time: a period, unless a bare number stands before it ("3 months")."""
    SPAN = auto()
    """A span of time that is never a period."""
    COLON = auto()
    NEUTRAL = auto()
    # From here on, what says something of the whole text.
    BREAK = auto()
    OPEN = auto()
    CLOSE = auto()
    AVERAGE = auto()
    """Says that the amount is what was bid, not what is offered."""


class Word(NamedTuple):
    """The role of a word, and what belongs to it."""

    role: Role
    currencies: frozenset[str] = frozenset()
    factor: Decimal = Decimal(1)
    period: Period | None = None


# Currencies that write themselves with the sign; one that several share decides nothing by itself.
_DOLLARS = (
    "USD AUD CAD SGD NZD HKD TWD MXN ARS CLP COP UYU DOP BBD BMD BND BSD BZD FJD GYD JMD KYD LRD NAD NIO SBD SRD "
    "TTD XCD"
)
_POUNDS = "GBP EGP FKP GIP SHP SSP SYP LBP"
_RUPEES = "INR PKR LKR NPR MUR SCR"
_CROWNS = "SEK NOK DKK ISK"
_PESOS = "MXN ARS CLP COP PHP UYU DOP CUP"
_SIGNS = {
    "$ dollar dollars": _DOLLARS,
    "£ pound pounds": _POUNDS,
    "¥": "JPY CNY",
    "₨ rs rupee rupees": _RUPEES,
    "kr kronor kroner": _CROWNS,
    "peso pesos": _PESOS,
    "元 圆": "CNY TWD HKD MOP",
    "руб рублей рубля р": "RUB BYN",
    "lei leu": "RON MDL",
    "fr": "CHF XOF XAF XPF",
    "c$": "CAD NIO",
    "us$ u$s u$d usd$": "USD",
    "a$ au$": "AUD",
    "ca$": "CAD",
    "nz$": "NZD",
    "hk$": "HKD",
    "s$ sg$": "SGD",
    "nt$": "TWD",
    "mx$": "MXN",
    "ar$": "ARS",
    "r$ reais": "BRL",
    "e£": "EGP",
    "jp¥ 円 yen": "JPY",
    "cn¥ 人民币 人民幣 rmb yuan": "CNY",
    "€ euro euros евро": "EUR",
    "₹": "INR",
    "₩": "KRW",
    "원": "KRW",
    "₽": "RUB",
    "₴ грн гривень гривен": "UAH",
    "₺ tl": "TRY",
    "zł zl złotych": "PLN",
    "kč": "CZK",
    "ft": "HUF",
    "лв": "BGN",
    "₫": "VND",
    "฿": "THB",
    "₱": "PHP",
    "₦": "NGN",
    "₪": "ILS",
    "₸ тенге тг": "KZT",
    "₼": "AZN",
    "₾": "GEL",
    "₡": "CRC",
    "₲": "PYG",
    "₵": "GHS",
    "৳": "BDT",
    "₮": "MNT",
    "rp": "IDR",
    "rm": "MYR",
}
LOWER_CASE_CODES = frozenset(
    {"usd", "eur", "gbp", "cad", "aud", "inr", "jpy", "krw", "rub", "uah", "pln", "brl", "chf", "sgd", "nzd", "hkd"}
)
"""Codes that are read in lower case too; most others spell words of some language."""
THREE_DECIMALS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
"""Currencies with a thousandth for their smallest coin: "1.250" may be one and a quarter."""

_FACTORS = {
    "k tsd тыс тис thousand": 3,
    "m mio mln млн million millions millones": 6,
    "mrd bn млрд": 9,
    "lakh lakhs lac lacs": 5,
    "crore crores cr": 7,
}
_MYRIADS = {"십 十": 1, "백 百": 2, "천 千": 3, "만 万 萬": 4, "억 億 亿": 8}

_PERIODS: dict[Period, str] = {
    "total": (
        "fixed, fixed price, fixed-price, total, flat, per project, project, "
        "고정, 총, 총액, 固定, 固定報酬, 固定報酬制, 総額, 一口价, "
        "precio fijo, preço fixo, por proyecto, por projeto, forfait, au forfait, festpreis, pauschal, "
        "за проект, за заказ, заказ, проект"
    ),
    "hour": (
        "hourly, an hour, p/h, 시급, 시간당, 時給, 時間単価, 時間報酬, 時間単価制, 时薪, por hora, de l'heure, "
        "stundensatz, почасовая, в час"
    ),
    "day": "daily, a day, 일당, 日給, 日額, 日薪, diario, diária, tjm, tagessatz, в день",
    "month": (
        "monthly, a month, 월급, 월간, 월단가, 月額, 月給, 月単価, 月薪, mensual, mensal, mensuel, "
        "monatssatz, monatlich, в месяц"
    ),
}
# Spans of time; what is paid by the week or the year has no place in `Period`.
_UNITS: dict[Period | None, str] = {
    "hour": (
        "hour, hours, hr, hrs, h, 시간, 時間, 小时, hora, horas, heure, heures, stunde, stunden, час, часа, часов, ч"
    ),
    "day": "day, days, 일, 日, 天, día, dia, días, dias, jour, jours, tag, tage, tagen, день, дня, дней",
    "month": ("month, months, mo, 월, 月, mes, mês, meses, mois, monat, monate, monaten, месяц, месяца, месяцев, мес"),
    None: (
        "week, weeks, wk, weekly, a week, year, years, yr, yearly, annual, a year, annum, 주, 주일, 년, 연봉, "
        "週, 週間, 年, 年収, semana, semanas, semaine, semaines, woche, wochen, неделю, неделя, недель, "
        "año, ano, jahr, jahre, год, лет"
    ),
}

_ROLES: dict[Role, str] = {
    Role.RANGE: "-, ~, to, and, a, à, y, e, et, bis zu, und, и, 에서, 到, 至",
    Role.LOWER_BEFORE: (
        "over, above, more than, at least, from, starting at, starting from, no less than, not less than, >, ≥, "
        "más de, desde, a partir de, mais de, acima de, plus de, à partir de, dès, "
        "ab, über, mehr als, mindestens, от, более, больше, свыше, не менее, від, понад"
    ),
    Role.LOWER_AFTER: (
        "+, and up, and above, or more, and more, 이상, 초과, 부터, 以上, 超, から, 起, "
        "o más, y más, ou mais, e mais, et plus, ou plus, und mehr, oder mehr, и более, и выше"
    ),
    Role.LOWER: "min, minimum, 최소, 最低, mínimo, минимум",
    Role.UPPER_BEFORE: (
        "under, below, less than, up to, at most, no more than, not more than, within, until, <, ≤, "
        "menos de, hasta, até, abaixo de, moins de, jusqu'à, jusque, unter, weniger als, höchstens, bis, "
        "до, менее, меньше, не более"
    ),
    Role.UPPER_AFTER: (
        "or less, and below, 이하, 미만, 까지, 이내, 以下, 未満, 以内, まで, "
        "o menos, ou menos, ou moins, oder weniger, и менее"
    ),
    Role.UPPER: "max, maximum, 최대, 最大, 最高, máximo, maximal, максимум",
    Role.LIKELY_TOTAL: "예상",
    Role.SPAN: "개월, 개월간, ヶ月, か月, カ月, ヵ月, 个月, 주간, 달, minute, minutes, mins, 분, 分",
    Role.AVERAGE: (
        "avg, average, 평균, 平均, promedio, promedia, média, moyenne, moyen, durchschnitt, durchschnittlich, "
        "средний, средняя"
    ),
    Role.COLON: ":",
    Role.BREAK: "|, •, ·, ・",
    Role.OPEN: "(, [",
    Role.CLOSE: "), ]",
    Role.NEUTRAL: (
        "/, ., \", ', …, =, budget, est, estimated, approx, approximately, about, ca, price, rate, pay, payment, "
        "amount, per, between, negotiable, or best offer, range, salary, offer, bid, "
        "금액, 비용, 단가, 임금, 예산, 약, 협의, 후, 결정, 제안, 확정, 별도, 부가세, 포함, 계약, "
        "報酬, 予算, 税込, 税抜, 税別, 約, 見積り希望, 相談, 要相談, 契約, 案件, 预算, 面议, 约, "
        "presupuesto, orçamento, por, entre, de, aproximadamente, "
        "prix, environ, par, "
        "preis, pro, je, von, zwischen, etwa, nach vereinbarung, netto, brutto, "
        "бюджет, цена, за, для, всех, около, примерно, в, между, по договоренности, по договорённости, договорная"
    ),
}


def _words() -> dict[str, Word]:
    words: dict[str, Word] = {}
    for role, terms in _ROLES.items():
        words |= dict.fromkeys(terms.split(", "), Word(role))
    # Commas separate the terms above.
    words[","] = Word(Role.NEUTRAL)
    for period, terms in _PERIODS.items():
        words |= dict.fromkeys(terms.split(", "), Word(Role.PERIOD, period=period))
    for unit, terms in _UNITS.items():
        words |= dict.fromkeys(terms.split(", "), Word(Role.UNIT, period=unit))
    words |= _powers(_FACTORS, Role.TIMES) | _powers(_MYRIADS, Role.MYRIAD)
    for signs, codes in _SIGNS.items():
        words |= dict.fromkeys(signs.split(), Word(Role.CURRENCY, frozenset(codes.split())))
    return words


def _powers(table: Mapping[str, int], role: Role) -> dict[str, Word]:
    return {term: Word(role, factor=Decimal(10) ** power) for terms, power in table.items() for term in terms.split()}


# Digits with groups between them; blanks only before three digits; "500,-" is 500. Then signs that hold letters.
_NUMBERS = r"[0-9]+(?:[.,'][0-9]+| [0-9]{3}(?![0-9]))*(?:[.,]-(?![0-9]))?"
_LETTERED_SIGNS = r"(?<![^\W\d_])(?:[A-Za-z]{1,3}[$¥£]|[Uu]\$[SsDd](?![^\W\d_]))"

VOCABULARY = Vocabulary(_words(), numbers=_NUMBERS, signs=_LETTERED_SIGNS)
