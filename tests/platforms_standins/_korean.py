"""Make up the texts of Korean projects: titles and descriptions, all from a seed. Freemoa's stand-in uses them too.

Every sentence, company and name here is of this project's own making. Some texts are English, some carry
emoji: Korean platforms have both.
"""

from __future__ import annotations

import random

from platforms_standins._text import COMPANIES, Writer

FIELDS = ("개발", "디자인", "기획", "마케팅", "기타")
FORMS = ("web", "pc", "android", "ios", "etc")
SKILLS = {
    "개발": """Java, Spring, Python, Django, FastAPI, React, React Native, Vue, Next.js, Node.js, TypeScript, PHP,
    Laravel, Kotlin, Swift, Flutter, Go, C#, Unity, PostgreSQL, MySQL, Redis, AWS, Docker, Kubernetes, Databricks,
    Scrapy, AOS, iOS, Supabase, backend, 유지보수, 크롤링, 웹 퍼블리싱""",
    "디자인": "Figma, 포토샵, 일러스트레이터, UI/UX, 브랜딩, 웹 디자인, 앱 디자인, 3D 모델링, 패키지",
    "기획": "서비스 기획, 화면 설계서, 요구사항 정의, PM, Jira",
    "마케팅": "검색 광고, SEO, SNS 운영, 콘텐츠 제작, 데이터 분석",
    "기타": "번역, 엑셀, 데이터 입력, 음성 녹음",
}
ROLES = ("데이터 엔지니어", "백엔드 개발자", "프론트엔드 개발자", "앱 개발자", "PL (프로젝트 리더)", "UI 디자이너")
LEVELS = ("주니어", "미드", "시니어")
PLACES = {
    "서울": ("강남구", "마포구", "성동구", "영등포구", "은평구"),
    "경기": ("성남시 분당구", "수원시 영통구", "고양시 일산동구"),
    "부산": ("해운대구", "부산진구"),
    "대전": ("유성구",),
    "광주": ("서구",),
    "제주": ("제주시",),
}
REGIONS = {
    "서울": "서울특별시",
    "경기": "경기도",
    "부산": "부산광역시",
    "대전": "대전광역시",
    "광주": "광주광역시",
    "제주": "제주특별자치도",
}

_THINGS = """재고 관리|주문 내역|예약 시스템|회원 관리|정산 자동화|물류 추적|설문 조사|사진 보관|온라인 강의|식단 기록
중고 장터|병원 접수|공방 수업|도서 대여|자전거 수리|반려견 산책|날씨 알림|농산물 직거래|캠핑장 예약|악보 공유
동네 소식|채용 공고|전자 계약|회의록 정리|센서 데이터|매출 통계|고객 상담|부동산 매물|여행 일정|운동 기록""".replace(
    "\n", "|"
).split("|")
_WORKS = ("구축", "고도화", "리뉴얼", "신규 개발", "유지보수", "디자인", "기획", "데이터 이전", "화면 개선", "자동화")
_KINDS = (
    "웹사이트",
    "모바일 앱",
    "관리자 페이지",
    "플랫폼",
    "API 서버",
    "대시보드",
    "쇼핑몰",
    "하이브리드 앱",
    "챗봇",
    "크롤러",
)
_TITLES = (
    "{s} 기반 {t} {k} {w}",
    "{t} {k} {w}",
    "{t} {k} {w} ({s})",
    "[{p}] {t} {k} {w} 프로젝트",
    "기존 {k} {w} 및 {t} 기능 추가",
    "{c} {t} {k} {w}",
)
_SENTENCES = (
    "현재 {t} 업무를 손으로 처리하고 있어 {k} {w}이 필요합니다.",
    "{c}는 {p} 지역에서 {t} 서비스를 운영하는 작은 회사입니다.",
    "기획서는 준비되어 있으며 디자인은 {n}장 정도 예상합니다.",
    "{s} 경험이 있는 분을 찾습니다.",
    "{t} 화면은 {n}개이고, 관리자 화면이 따로 있어야 합니다.",
    "하루 평균 {n}건의 {t} 요청을 처리할 수 있어야 합니다.",
    "일주일에 한 번 화상 회의로 진행 상황을 나눕니다.",
    "기존 {k}의 소스는 계약 후에 드립니다.",
    "비슷한 {t} 작업 사례를 {n}개 이내로 보여 주세요.",
    "검수 기간은 {n}일이며 이후 한 달 동안 하자 보수를 부탁드립니다.",
    "{s} 대신 다른 기술을 제안해 주셔도 좋습니다.",
    "데이터는 약 {n}만 건이고 엑셀 파일로 정리되어 있습니다.",
    "모바일에서도 {t} 기능이 빠르게 열려야 합니다.",
    "오픈 목표는 {n}주 뒤이며 일정은 협의할 수 있습니다.",
)
_HEADS = ("프로젝트 개요", "진행 방식", "상세 업무", "산출물", "참고 사항", "지원 조건")
_EMOJI = ("🚀", "📱", "✅", "👩‍💻", "🇰🇷", "⭐")


class KoreanWriter:
    """Write titles and descriptions out of one random source, the caller's, one for each project."""

    def __init__(self, rng: random.Random, skills: list[str]) -> None:
        self._rng = rng
        self._skills = skills or ["웹"]

    def _fill(self, template: str) -> str:
        pick = self._rng.choice
        return template.format(
            t=pick(_THINGS), w=pick(_WORKS), k=pick(_KINDS), s=pick(self._skills), c=pick(COMPANIES),
            p=pick(tuple(PLACES)), n=self._rng.randint(2, 40),
        )  # fmt: skip

    def title(self) -> str:
        """Return a title of some 10 to 50 characters; one in twelve is English, one in twelve has an emoji."""
        draw = self._rng.random()
        if draw < 1 / 12:
            return Writer(self._rng, self._skills).title()
        title = self._fill(self._rng.choice(_TITLES))
        return f"{title} {self._rng.choice(_EMOJI)}" if draw < 1 / 6 else title

    def description(self, paragraphs: int | None = None) -> str:
        """Return headed paragraphs and lists with ``\\n`` between the lines; some are English."""
        rng = self._rng
        if paragraphs is None and rng.random() < 1 / 12:
            return Writer(rng, self._skills).description()
        parts = []
        for number in range(paragraphs or rng.randint(2, 5)):
            lines = [f"[{_HEADS[number % len(_HEADS)]}]"]
            lines += [f"- {self._fill(rng.choice(_SENTENCES))}" for _ in range(rng.randint(1, 4))]
            parts.append("\n".join(lines))
        if rng.random() < 0.15:
            parts.append(f"감사합니다 {rng.choice(_EMOJI)}")
        return "\n\n".join(parts)


def skills_of(field: str) -> list[str]:
    """Return the skills of a field of work."""
    return [" ".join(name.split()) for name in SKILLS[field].split(",")]
