"""Know countries by the names that platforms write."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# ISO 3166-1, with the names that are in use in English. The package pycountry does not know those that platforms write
# (UK, England, UAE, Ivory Coast, "Korea, South"), and takes a third of a second and 5 MB for the first look-up.
_NAMES = """
AD Andorra; AE United Arab Emirates|UAE; AF Afghanistan; AG Antigua & Barbuda; AI Anguilla; AL Albania; AM Armenia;
AO Angola; AQ Antarctica; AR Argentina; AS American Samoa; AT Austria; AU Australia; AW Aruba; AX Åland Islands; AZ
Azerbaijan; BA Bosnia & Herzegovina; BB Barbados; BD Bangladesh; BE Belgium; BF Burkina Faso; BG Bulgaria; BH
Bahrain; BI Burundi; BJ Benin; BL St. Barthélemy; BM Bermuda; BN Brunei|Brunei Darussalam; BO Bolivia|Plurinational
State of Bolivia; BQ Caribbean Netherlands; BR Brazil; BS Bahamas|The Bahamas; BT Bhutan; BV Bouvet Island; BW
Botswana; BY Belarus; BZ Belize; CA Canada; CC Cocos Islands|Keeling Islands; CD Congo - Kinshasa|Democratic
Republic of the Congo|DR Congo|Congo-Kinshasa; CF Central African Republic; CG Congo - Brazzaville|Republic of the
Congo|Congo-Brazzaville; CH Switzerland; CI Côte d'Ivoire|Ivory Coast; CK Cook Islands; CL Chile; CM Cameroon; CN
China; CO Colombia; CR Costa Rica; CU Cuba; CV Cape Verde|Cabo Verde; CW Curaçao; CX Christmas Island; CY Cyprus; CZ
Czechia|Czech Republic; DE Germany; DJ Djibouti; DK Denmark; DM Dominica; DO Dominican Republic; DZ Algeria; EC
Ecuador; EE Estonia; EG Egypt; EH Western Sahara; ER Eritrea; ES Spain; ET Ethiopia; FI Finland; FJ Fiji; FK
Falkland Islands|Falkland Islands (Malvinas); FM Micronesia|Federated States of Micronesia; FO Faroe Islands; FR
France; GA Gabon; GB United Kingdom|Great Britain|UK|England|Scotland|Wales|Northern Ireland; GD Grenada; GE
Georgia; GF French Guiana; GG Guernsey; GH Ghana; GI Gibraltar; GL Greenland; GM Gambia|The Gambia; GN Guinea; GP
Guadeloupe; GQ Equatorial Guinea; GR Greece; GS South Georgia & South Sandwich Islands; GT Guatemala; GU Guam; GW
Guinea-Bissau; GY Guyana; HK Hong Kong|Hong Kong (China); HM Heard & McDonald Islands; HN Honduras; HR Croatia; HT
Haiti; HU Hungary; ID Indonesia; IE Ireland; IL Israel; IM Isle of Man; IN India; IO British Indian Ocean Territory;
IQ Iraq; IR Iran|Iran, Islamic Republic of; IS Iceland; IT Italy; JE Jersey; JM Jamaica; JO Jordan; JP Japan; KE
Kenya; KG Kyrgyzstan; KH Cambodia; KI Kiribati; KM Comoros; KN St. Kitts & Nevis; KP North Korea|Democratic People's
Republic of Korea; KR South Korea|Republic of Korea|Korea, Republic of|Korea, South; KW Kuwait; KY Cayman Islands;
KZ Kazakhstan; LA Laos|Lao People's Democratic Republic|Lao PDR; LB Lebanon; LC St. Lucia; LI Liechtenstein; LK Sri
Lanka; LR Liberia; LS Lesotho; LT Lithuania; LU Luxembourg; LV Latvia; LY Libya; MA Morocco; MC Monaco; MD
Moldova|Republic of Moldova|Moldova, Republic of; ME Montenegro; MF St. Martin; MG Madagascar; MH Marshall Islands;
MK North Macedonia|Macedonia|Republic of North Macedonia; ML Mali; MM Myanmar|Burma; MN Mongolia; MO Macao|Macau; MP
Northern Mariana Islands; MQ Martinique; MR Mauritania; MS Montserrat; MT Malta; MU Mauritius; MV Maldives; MW
Malawi; MX Mexico; MY Malaysia; MZ Mozambique; NA Namibia; NC New Caledonia; NE Niger; NF Norfolk Island; NG
Nigeria; NI Nicaragua; NL Netherlands|The Netherlands|Holland; NO Norway; NP Nepal; NR Nauru; NU Niue; NZ New
Zealand; OM Oman; PA Panama; PE Peru; PF French Polynesia; PG Papua New Guinea; PH Philippines; PK Pakistan; PL
Poland; PM St. Pierre & Miquelon; PN Pitcairn Islands; PR Puerto Rico; PS Palestinian Territories|Palestine|State of
Palestine|Palestinian Territory; PT Portugal; PW Palau; PY Paraguay; QA Qatar; RE Réunion; RO Romania; RS Serbia; RU
Russia|Russian Federation; RW Rwanda; SA Saudi Arabia; SB Solomon Islands; SC Seychelles; SD Sudan; SE Sweden; SG
Singapore; SH St. Helena; SI Slovenia; SJ Svalbard & Jan Mayen; SK Slovakia; SL Sierra Leone; SM San Marino; SN
Senegal; SO Somalia; SR Suriname; SS South Sudan; ST São Tomé & Príncipe; SV El Salvador; SX Sint Maarten; SY
Syria|Syrian Arab Republic; SZ Eswatini|Swaziland; TC Turks & Caicos Islands; TD Chad; TF French Southern
Territories; TG Togo; TH Thailand; TJ Tajikistan; TK Tokelau; TL Timor-Leste|East Timor; TM Turkmenistan; TN
Tunisia; TO Tonga; TR Türkiye|Turkey; TT Trinidad & Tobago; TV Tuvalu; TW Taiwan|Taiwan, Province of China; TZ
Tanzania|United Republic of Tanzania|Tanzania, United Republic of; UA Ukraine; UG Uganda; UM U.S. Outlying Islands;
US United States|United States of America|USA|U.S.A.; UY Uruguay; UZ Uzbekistan; VA Vatican City|Holy See; VC St.
Vincent & Grenadines; VE Venezuela|Bolivarian Republic of Venezuela|Venezuela, Bolivarian Republic of; VG British
Virgin Islands; VI U.S. Virgin Islands; VN Vietnam|Viet Nam; VU Vanuatu; WF Wallis & Futuna; WS Samoa; YE Yemen; YT
Mayotte; ZA South Africa; ZM Zambia; ZW Zimbabwe
"""
# Their alpha-3 codes, in the same order.
_ALPHA_3 = """
AND ARE AFG ATG AIA ALB ARM AGO ATA ARG ASM AUT AUS ABW ALA AZE BIH BRB BGD BEL BFA BGR BHR BDI BEN BLM BMU BRN BOL
BES BRA BHS BTN BVT BWA BLR BLZ CAN CCK COD CAF COG CHE CIV COK CHL CMR CHN COL CRI CUB CPV CUW CXR CYP CZE DEU DJI
DNK DMA DOM DZA ECU EST EGY ESH ERI ESP ETH FIN FJI FLK FSM FRO FRA GAB GBR GRD GEO GUF GGY GHA GIB GRL GMB GIN GLP
GNQ GRC SGS GTM GUM GNB GUY HKG HMD HND HRV HTI HUN IDN IRL ISR IMN IND IOT IRQ IRN ISL ITA JEY JAM JOR JPN KEN KGZ
KHM KIR COM KNA PRK KOR KWT CYM KAZ LAO LBN LCA LIE LKA LBR LSO LTU LUX LVA LBY MAR MCO MDA MNE MAF MDG MHL MKD MLI
MMR MNG MAC MNP MTQ MRT MSR MLT MUS MDV MWI MEX MYS MOZ NAM NCL NER NFK NGA NIC NLD NOR NPL NRU NIU NZL OMN PAN PER
PYF PNG PHL PAK POL SPM PCN PRI PSE PRT PLW PRY QAT REU ROU SRB RUS RWA SAU SLB SYC SDN SWE SGP SHN SVN SJM SVK SLE
SMR SEN SOM SUR SSD STP SLV SXM SYR SWZ TCA TCD ATF TGO THA TJK TKL TLS TKM TUN TON TUR TTO TUV TWN TZA UKR UGA UMI
USA URY UZB VAT VCT VEN VGB VIR VNM VUT WLF WSM YEM MYT ZAF ZMB ZWE
"""


def country_code(text: object) -> str | None:
    """Return the ISO 3166-1 alpha-2 code of a country given by its English name, or by a code of two or three letters.

    Three letters are a code in capitals only: "and" and "can" are words. ``None`` for anything else: no country is
    guessed from a place or a language.
    """
    return _code(text) if isinstance(text, str) else None


@lru_cache(maxsize=1024)
def _code(text: str) -> str | None:
    name = text.strip()
    if len(name) == 2 and name.upper() in _CODES:
        return name.upper()
    return _BY_ALPHA_3.get(name) or _BY_NAME.get(_plain(name))


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.casefold()).replace("&", " and ").replace("st.", "saint")
    words = re.sub(r"[^a-z ]", "", letters.replace("-", " ").replace("\u2019", "")).split()
    return " ".join(word for word in words if word != "the")


_ENTRIES = [entry.strip().split(" ", 1) for entry in " ".join(_NAMES.split()).split(";")]
_CODES = frozenset(code for code, _ in _ENTRIES)
_BY_ALPHA_3 = dict(zip(_ALPHA_3.split(), (code for code, _ in _ENTRIES), strict=True))
_BY_NAME = {_plain(name): code for code, names in _ENTRIES for name in names.split("|")}
