"""Make up the texts of projects: titles and descriptions, all from a seed.

Every word, sentence and company here is of this project's own making, so that no stand-in carries other
people's texts. The vocabulary has well over 2,000 distinct words (verbs and nouns in several forms, invented
company names), which text search and duplicate detection need to behave as they do on real rows.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence


def words(table: str) -> list[str]:
    """Split a table of words."""
    return table.split()


VERBS = words("""
accept adapt add adjust align allow analyse answer apply approve arrange assemble assess assign assist
attach audit automate balance bill book brand bundle calculate calibrate capture categorise challenge chart
check cleanse clarify collect combine compare compile complete compress compute configure confirm connect
consolidate convert coordinate correct crawl create customise decode decorate defend define deliver deploy
describe design detect develop diagnose display divide document download draft edit embed encode encrypt
enhance enrich ensure evaluate examine expand explain export extend extract filter finalise fix format
gather generate group guide handle harden highlight host illustrate implement import improve index inspect
install integrate interview introduce investigate join label launch layer limit link listen load localise
maintain manage mask match measure merge migrate mirror model moderate monitor normalise notify observe
offer optimise order organise outline overhaul parse patch perform polish post predict prepare present
preserve print process produce profile program promote protect prototype publish query rank reconcile record
recover redesign reduce refactor refine refresh register release remove rename render repair replace
replicate report research resize resolve restore restructure retouch review revise rework sample scale
schedule score sculpt secure segment separate simplify simulate sketch solve sort source standardise store
streamline structure summarise supply support survey synchronise tailor test track trade train transcribe
transfer transform translate trigger tune typeset unify update upgrade upload validate verify visualise wire
""")

NOUNS = words("""
account address advert agenda agreement alert algorithm album animation annotation app appendix application
approval archive article asset attachment audience avatar badge balance banner basket batch bill blog
blueprint board booking bookmark bot box brief broadcast brochure browser bucket budget bug bulletin button
cache calculator calendar call camera campaign card cart cartoon catalogue certificate channel chapter
character chart chatbot checklist checkout claim class client clip cluster collage collection column comment
commission competitor component conference contact container contract controller conversion cookie corner
counter coupon course cover creator crop cursor curve customer dashboard database dataset deadline dealer
deck decision demo department deposit design desk device diagram dialogue discount distributor document
domain donor door draft drawing driver drone edition editor element email emblem engine entry envelope
episode estimate event exhibit experiment export extension fabric facade feature feed field file filter
fixture flag floor flow flyer folder font footer forecast form formula forum frame funnel gadget gallery
game garment gateway generator gift graph grid guide handbook header headline hook icon illustration image
index influencer inspection installer instructor integration interface interior inventory invoice item
journal journey kernel keyword kiosk kit label landmark language layer layout lead leaflet ledger lesson
letter level library licence link listing lobby location log logo loop machine magazine manual map marker
marketplace mascot mask material matrix meeting member membership menu merchant message meter metric
milestone mockup model module monitor motor movie newsletter node notebook notification number object offer
office onboarding option order outline package page painting panel parameter parcel partner password path
patient pattern payment payroll permission persona phone photo picture pipeline pixel plan plate player
playlist plugin podcast point policy portal portfolio post poster presentation printer product profile
prompt property proposal prototype provider quiz quote receipt recipe record recording redirect reference
region register reminder rental report request reservation resource restaurant resume retailer review reward
ringtone robot role roof room route router rule sample scene schedule scheme school scorecard scraper screen
screenshot script season section sector selector seminar sensor server session sheet shipment shop signal
signature simulation site sketch slide snippet socket song speaker spec spreadsheet sprint stage statement
sticker stock storyboard strategy stream studio style subscriber subscription subtitle summary supplier
surface survey symbol system table tablet tag target team template tenant terminal texture theme thread
thumbnail ticket tile timeline timer tool tour tournament tracker trailer transcript transfer trigger
tutorial tutor upload vehicle vendor version video viewer visitor voice voucher wallet warehouse watermark
webhook webinar website widget window wireframe workbook workflow workshop
""")

ADJECTIVES = words("""
accurate active adaptive advanced affordable ambitious annual attentive automatic available basic bold brief
bright broad busy calm careful certified clean clear clever coherent colourful comfortable compact complete
complex concise confident consistent constant convenient creative critical curious current custom daily
decent dedicated deep detailed different digital diligent direct distinct durable dynamic early easy
effective efficient elegant enthusiastic exact excellent existing experienced external fair familiar fast
final flexible fluent formal frequent fresh friendly full functional general generous genuine global good
graceful handy helpful high honest ideal independent individual initial instant intelligent interactive
internal intuitive large lasting latest lean legal light likely lively local logical long loyal main major
manual mature minimal minor mobile modern modest modular monthly native natural neat neutral new nimble
normal novel numeric official older ongoing open optimal optional ordinary organic original outstanding
overall passionate patient perfect permanent personal playful polite popular portable possible practical
precise premium private proactive productive professional proper public punctual quick quiet rapid rare
readable realistic reasonable recent recurring regional regular relaxed relevant reliable remote repeatable
responsible responsive rich robust rough rural safe scalable seamless seasonal senior sensible separate
serious sharp short silent simple single skilled sleek slim small smart smooth social solid special specific
stable standard steady strict striking strong stylish subtle suitable swift tasteful technical tidy timely
tiny traditional transparent trusted typical unique universal unusual urgent useful valid valuable versatile
vibrant visual warm weekly willing wide young
""")

INDUSTRIES = words("""
agriculture architecture astronomy aviation bakery banking beekeeping biotech bookselling brewing carpentry
catering ceramics childcare chocolate cinema coaching coffee construction consulting cosmetics couriers
cycling dance dentistry diving ecommerce education electronics energy engineering farming fashion film
finance fishing fitness floristry forestry furniture gaming gardening gastronomy genealogy glassware
hairdressing healthcare hiking hospitality housing hydraulics insurance jewellery journalism kayaking
knitwear landscaping leather legal lighting logistics manufacturing marketing masonry medicine metalwork
mining music nutrition optics orchards packaging pets pharmacy photography physiotherapy plumbing pottery
printing publishing railways recruitment recycling robotics roofing rugby sailing sculpture security
shipping skincare solar stationery surveying tailoring telecom textiles theatre tourism toys translation
transport vineyards watchmaking wellness woodwork yachting yoga
""")

ROLES = words("""
administrator advisor analyst animator architect artist assistant bookkeeper builder consultant copywriter
designer developer draughtsman editor engineer expert freelancer illustrator instructor manager marketer
modeller organiser photographer producer programmer proofreader researcher specialist strategist technician
tester trainer translator virtual-assistant writer
""")

FILLERS = {
    "thing": words("currently roughly usually mostly gladly preferably ideally ultimately meanwhile afterwards"),
    "unit": words("hours days weeks months milestones iterations rounds sprints"),
    "place": words("Lisbon Tallinn Nairobi Osaka Quito Bergen Porto Leeds Cork Perth Graz Lyon Hanoi Lima Pune"),
}

SYLLABLES = words("""
ar bel cor dan el fen gal hal ivo jor kel lan mar nor ol pra quin ros sel tan ur vel wen xan yor zel bri cla
dre fro gri kra pli sta tri vor zim
""")
ENDINGS = words("a ia on ix us ora eta ium ent ara is ova esk and wick ley mont ford tech labs")

# {v} verb · {vs} {ved} {ving} its forms · {n} noun · {ns} plural · {a} adjective · {ly} adverb · {i} industry
# {r} role · {c} company · {k} skill · {#} small number · {u} unit of time · {p} place · {t} filler adverb
SENTENCES = """
We are looking for a {a} {r} who can {v} our {n} {ns} and {v} the {a} {n} behind them.
{c} is a {a} company in {i}, and we {t} need help to {v} a {n} {n}.
The {n} should {v} every {n} {ly} and {v} the {ns} that customers {v} each week.
You will be {ving} {a} {ns}, {ving} {n} {ns} and {ving} whatever the {n} team has {ved} so far.
Experience with {k} is required; knowledge of {k} would be a {a} bonus.
Our {n} was {ved} {#} {u} ago and has never been {ved} {ly} since.
Please {v} the {n} first, then {v} a short {n} that {vs} how you would {v} the {ns}.
The {a} part is the {n} {n}: it must {v} at least {#} {ns} per day without {ving} the {n}.
I have a {a} {n} in {k} and want somebody to {v} it into a {a} {n} for {i}.
Deliverables are one {n}, {#} {a} {ns}, and a {n} that {vs} the {n} step by step.
We {t} work from {p}, so a {a} overlap of a few hours is {a} but not a must.
{c} has {ved} {ns} for {i} clients since {#} {u} after its launch, and our {ns} are {ved} by hand.
If the first {n} goes well, we would {v} the {n} every month and {v} {a} {ns} together.
Budget is {a}; tell us {ly} what you {v}, how many {u} it takes and which {ns} you need from us.
Each {n} comes with a {n}, a {n} and some {a} {ns} that have to be {ved} and {ved}.
Do not {v} the existing {n}; it is {ved} by another {r} and {vs} our {n} {ly}.
The source {ns} are {a}, partly {ved}, and live in a {n} that only {k} can {v}.
Send {#} {ns} of {a} work in {k}, and say in one line why the {n} should be {ved} that way.
We {v} {ns} for {i} in {p}, where {a} {ns} and {a} {ns} are what people {v} for.
There is a {n} for {ving} {ns}, a {n} for {ving} {ns}, and nothing that {vs} both.
A {a} {r} who {vs} before {ving} will {v} this in {#} {u}.
All {ns} must {v} on phones and tablets, and the {n} has to be {a} for {a} readers.
My {r} left, so the {n} is half {ved}: the {ns} {v}, yet the {n} still {vs} the wrong {n}.
The {n} of {c} should feel {a}, {a} and {ly} {ved}, with no {a} {ns} left over.
We already {ved} a {n} with {k}, but the {ns} are {ved} too {ly} and the {n} is not {a}.
Payment follows each {n}: {#} percent when the {n} is {ved}, the rest after we have {ved} the {ns}.
Your task: {v} {#} {ns}, {v} their {ns}, and {v} a {a} {n} in {k}.
Bids without a {a} {n} are not {ved}, so please start yours with the word {n}.
For the {i} side we {t} {v} {ns} by hand; {ving} them with {k} would {v} {#} {u} a year.
After {ving}, the {n} is {ved} to {p}, where a {a} {r} {vs} it and {vs} the {ns}.
""".strip().splitlines()

BULLETS = """
{v} the {a} {n} in {k}
{#} {a} {ns}, {ly} {ved}
a {n} for {ving} {ns}
{n} and {n} are {ved} {ly}
{v} {ns} from the {n} to the {n}
""".strip().splitlines()

TITLES = """
{K} {r} to {v} a {n} {n}
{V} {ns} for a {i} {n}
{A} {n} {n} in {k}
{A} {r} needed for {i} {n}
{N} {n} with {k}
{V} and {v} {#} {ns}
{K} {n} for {c}
{A} {i} {n}: {v} and {v}
Need help {ving} a {a} {n}
{N} design for {c}
""".strip().splitlines()

FOREIGN = {
    "es": (
        "Buscamos a una persona con experiencia para ordenar nuestro catálogo.",
        "El trabajo empieza esta semana y dura unos quince días.",
        "Cada ficha lleva foto, precio y una descripción corta.",
        "Enséñanos dos trabajos parecidos antes de hablar del presupuesto.",
        "Hablamos español y también inglés.",
    ),
    "de": (
        "Wir suchen Unterstützung für unseren kleinen Onlineshop.",
        "Die Artikel liegen als Tabelle vor und müssen geprüft werden.",
        "Bitte nennen Sie Ihren Stundensatz und zwei Beispiele.",
        "Die Abstimmung läuft einmal in der Woche am Telefon.",
        "Größere Änderungen besprechen wir vorher.",
    ),
    "fr": (
        "Nous cherchons quelqu'un pour refaire la page d'accueil de notre boutique.",
        "Les textes existent déjà, il faut surtout les mettre en forme.",
        "Merci d'indiquer vos délais et quelques réalisations récentes.",
        "Le travail se fait à distance, avec un point chaque lundi.",
        "Une suite est possible après l'été.",
    ),
    "pt": (
        "Precisamos de alguém para organizar as fotografias da loja.",
        "São cerca de trezentas imagens com fundo branco.",
        "Diga-nos o prazo e mostre um exemplo parecido.",
        "O contato é feito por mensagem, sem reuniões longas.",
        "O pagamento acontece no fim de cada etapa.",
    ),
}


def _past(verb: str) -> str:
    if verb.endswith("e"):
        return verb + "d"
    return verb[:-1] + "ied" if verb.endswith("y") and verb[-2] not in "aeou" else verb + "ed"


def _gerund(verb: str) -> str:
    return verb[:-1] + "ing" if verb.endswith("e") else verb + "ing"


def _plural(word: str) -> str:
    if word.endswith(("s", "x", "ch", "sh", "z")):
        return word + "es"
    return word[:-1] + "ies" if word.endswith("y") and word[-2] not in "aeou" else word + "s"


def _adverb(adjective: str) -> str:
    if adjective.endswith("ly"):
        return adjective
    if adjective.endswith("le"):
        return adjective[:-1] + "y"
    if adjective.endswith("ic"):
        return adjective + "ally"
    return adjective[:-1] + "ily" if adjective.endswith("y") else adjective + "ly"


def _capitalised(words: Sequence[str]) -> list[str]:
    return [word[:1].upper() + word[1:] for word in words]


COMPANIES = [
    first.capitalize() + second + end for first in SYLLABLES for second in SYLLABLES[::4] for end in ENDINGS[::2]
]
_SLOTS: dict[str, Sequence[str]] = {
    "v": VERBS,
    "V": _capitalised(VERBS),
    "vs": [_plural(verb) for verb in VERBS],
    "ved": [_past(verb) for verb in VERBS],
    "ving": [_gerund(verb) for verb in VERBS],
    "n": NOUNS,
    "N": _capitalised(NOUNS),
    "ns": [_plural(noun) for noun in NOUNS],
    "a": ADJECTIVES,
    "A": _capitalised(ADJECTIVES),
    "ly": [_adverb(adjective) for adjective in ADJECTIVES],
    "i": INDUSTRIES,
    "r": ROLES,
    "c": COMPANIES,
    "t": FILLERS["thing"],
    "u": FILLERS["unit"],
    "p": FILLERS["place"],
    "#": [str(number) for number in range(2, 90)],
}
# An English text must say "an" before a vowel: one replacement over the finished text is cheaper than two
# slots.
_ARTICLES = [(f" a {vowel}", f" an {vowel}") for vowel in "aeio"]

_Template = tuple[tuple[str, str], ...]


def _compile(line: str) -> _Template:
    """Return `(literal, slot name)` pairs; the last slot name is empty."""
    parts: list[tuple[str, str]] = []
    literal, _, rest = line.partition("{")
    while rest:
        slot, _, after = rest.partition("}")
        following, _, rest = after.partition("{")
        parts.append((literal, slot))
        literal = following
    parts.append((literal, ""))
    return tuple(parts)


_SENTENCES = [_compile(line) for line in SENTENCES]
_BULLETS = [_compile(line) for line in BULLETS]
_TITLES = [_compile(line) for line in TITLES]


class Writer:
    """Write titles and descriptions out of one random source.

    `rng` is the caller's, one for each project, so that a project's text does not depend on which others were
    made.
    """

    __slots__ = ("_random", "_skills")

    def __init__(self, rng: random.Random, skills: Sequence[str] = ("writing",)) -> None:
        self._random: Callable[[], float] = rng.random
        self._skills = skills

    def _pick(self, choices: Sequence[str]) -> str:
        return choices[int(self._random() * len(choices))]

    def _fill(self, template: _Template) -> str:
        parts: list[str] = []
        for literal, slot in template:
            parts.append(literal)
            if slot in ("k", "K"):
                parts.append(self._pick(self._skills))
            elif slot:
                parts.append(self._pick(_SLOTS[slot]))
        text = "".join(parts)
        for wrong, right in _ARTICLES:
            text = text.replace(wrong, right)
        return text

    def title(self) -> str:
        """Return a title of some 20 to 70 characters."""
        return self._fill(_TITLES[int(self._random() * len(_TITLES))])

    def sentence(self) -> str:
        """Return one English sentence."""
        return self._fill(_SENTENCES[int(self._random() * len(_SENTENCES))])

    def bullets(self, count: int, mark: str = "•") -> str:
        """Return `count` lines that each start with `mark`."""
        lines = (self._fill(_BULLETS[int(self._random() * len(_BULLETS))]) for _ in range(count))
        return "\n".join(f"{mark} {line}" for line in lines)

    def description(self, median: int = 780, minimum: int = 40, maximum: int = 4000) -> str:
        """Return English prose whose length is log-normal around `median` characters."""
        # Box-Muller from two draws: `gauss` of the random source keeps a spare value, which would tie texts
        # together.
        bell = math.sqrt(-2.0 * math.log(1.0 - self._random())) * math.cos(2.0 * math.pi * self._random())
        wanted = max(minimum, min(maximum, int(median * math.exp(0.55 * bell)) - 60))
        parts: list[str] = []
        length = 0
        while length < wanted:
            if length > 200 and self._random() < 0.06:
                piece = "\n\n" + self.bullets(3 + int(self._random() * 4)) + "\n\n"
            else:
                piece = self.sentence() + ("\n\n" if self._random() < 0.22 else " ")
            parts.append(piece)
            length += len(piece)
        return "".join(parts).strip()

    def foreign(self, language: str) -> str:
        """Return three to five sentences in `language` (a key of FOREIGN), in an order of their own."""
        sentences = sorted(FOREIGN[language], key=lambda _: self._random())
        return " ".join(sentences[: 3 + int(self._random() * 3)])
