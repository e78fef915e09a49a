"""Write the pages of the Freemoa stand-in: the shell without data, the script that fills it, the page of a block."""

from __future__ import annotations

SHELL = """<!DOCTYPE html>
<html lang="ko"><head><meta charset="utf-8"><title>프로젝트 찾기 - 프리모아</title>
<meta property="og:site_name" content="프리모아"></head>
<body>
<header><a href="/">프리모아</a> <a href="/m4/s41">프로젝트 찾기</a> <a href="/m0/s02">로그인</a></header>
<ul id="projectList" class="proj-list"></ul>
<div id="projectPagination"></div>
<footer><a href="/m6/s61">이용약관</a></footer>
<script src="/js/m4/s41.js"></script>
</body></html>
"""

#: Fills the shell in a browser, with the names that readers of the rendered page look for.
SCRIPT = """(async () => {
  const page = new URLSearchParams(location.search).get("page") || "1";
  const answer = await fetch("/m4a/s41a", {
    method: "POST",
    headers: {"X-Requested-With": "XMLHttpRequest", "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"},
    body: new URLSearchParams({page, sm: "3"}),
  });
  const sent = await answer.json();
  if (sent.ERROR.NO !== 0) { alert(sent.ERROR.MSG); return; }
  const {LIST, PAGINATION} = sent.DATA.PROJECT;
  const list = document.getElementById("projectList");
  const node = (parent, name, attributes, text) => {
    const made = parent.appendChild(document.createElement(name));
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  if (!LIST.length) node(list, "li", {class: "empty"}, "검색하신 키워드로 매칭되는 프로젝트가 없습니다.");
  for (const row of LIST) {
    const item = node(list, "li", {class: "proj-list-item_li_new"});
    const title = node(item, "div", {class: "projTitle", "data-pno": row.proj_idx});
    node(title, "p", {class: "title"}, row.title);
    const [kind, name] = {1: ["b", "도급"], 2: ["c", "상주"], 3: ["d", "상주"]}[row.workType];
    node(title, "p", {class: kind}, name);
    const info = node(item, "div", {class: "projectInfo"});
    const fact = (label, value) => {
      const line = node(info, "p", {});
      node(line, "span", {}, label);
      node(line, "b", {}, value);
    };
    fact(name === "도급" ? "예상비용" : "월 임금", `${row.cost_min}만원 ~ ${row.cost_max}만원`);
    fact("기간", `${row.during}일`);
    fact("지원자", `${row.ALL_APPLY_COUNT}명`);
    const left = Math.floor((Number(row.endtime) - 1 + 9 * 3600) / 86400)
      - Math.floor((sent.NOW + 9 * 3600) / 86400);
    fact("마감", row.isNowApply !== "1" ? "마감" : left > 0 ? `D-${left}일` : "D-DAY");
  }
  const pager = document.getElementById("projectPagination");
  for (let number = 1; number <= Math.ceil(PAGINATION.totalRows / 10); number++)
    node(pager, "a", {class: "pageGoBtn", "data-pagenum": number}, number);
})();
"""

BLOCK = """<!DOCTYPE html>
<html lang="ko"><head><meta charset="utf-8"><title>프리모아</title></head>
<body><div class="error-wrap"><h1>잘못된 접근입니다.</h1><p>정상적인 경로로 다시 이용해 주세요.</p>
<a href="/">처음으로</a></div></body></html>
"""

LOGIN = """<!DOCTYPE html>
<html lang="ko"><head><meta charset="utf-8"><title>로그인 - 프리모아</title></head>
<body><form method="post" action="/m0/s02"><input name="id"><input name="pw" type="password"></form></body></html>
"""

ROBOTS = "User-agent: *\nDisallow: /m0/\nDisallow: /m9/\n"
