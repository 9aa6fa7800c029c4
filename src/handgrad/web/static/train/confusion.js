// Which class is taken for which.

import { el, percent, scrolling } from "../dom.js";
import { register, t } from "../i18n.js";

register({
  en: {
    "confusion.title": "Confusion",
    "confusion.validation": "{right} of {count} validation examples right, after epoch {epoch}",
    "confusion.test": "{right} of {count} test examples right, after epoch {epoch}",
    "confusion.train": "{right} of {count} training examples right, after epoch {epoch}",
    "confusion.help": "A row for each true class, a column for each answer.",
    "confusion.nothing": "Comes with the end of the first epoch.",
    "confusion.cell": "{label} taken for {said}: {count}×",
  },
  zh: {
    "confusion.title": "混淆矩阵",
    "confusion.validation": "{count} 个验证样本中 {right} 正确，第 {epoch} 轮后",
    "confusion.test": "{count} 个测试样本中 {right} 正确，第 {epoch} 轮后",
    "confusion.train": "{count} 个训练样本中 {right} 正确，第 {epoch} 轮后",
    "confusion.help": "每行是真实类别，每列是网络的回答。",
    "confusion.nothing": "第一轮结束后出现。",
    "confusion.cell": "{label} 被判为 {said}：{count} 次",
  },
});

/** The panel. */
export function createConfusion() {
  const caption = el("caption", { class: "small faint" });
  const body = el("tbody");
  const head = el("thead");
  const table = el("table", { class: "confusion numbers" }, caption, head, body);
  const nothing = el("p", { class: "small faint", t: "confusion.nothing" });
  const scrolled = scrolling("confusion.title", table);
  const element = el("section", { class: "card stack" }, el("h2", { t: "confusion.title" }), nothing, scrolled);
  return {
    element,
    show(confusion, classes) {
      if (classes === null) element.hidden = true;
      nothing.hidden = Boolean(confusion);
      scrolled.hidden = !confusion;
      if (!confusion) return;
      const { counts, count, data, epoch } = confusion;
      const right = counts.reduce((sum, row, label) => sum + row[label], 0) / count;
      const values = { right: percent(right), count: count.toLocaleString("en"), epoch };
      caption.textContent = `${t(`confusion.${data}`, values)}. ${t("confusion.help")}`;
      const names = counts.map((_, label) => el("th", { scope: "col" }, String(label)));
      head.replaceChildren(el("tr", {}, el("td"), names));
      body.replaceChildren(...counts.map(row));
    },
  };
}

/** A row of the table: right answers in one colour, wrong ones in the other, deeper where there are more of them. */
function row(counts, label) {
  const total = counts.reduce((sum, count) => sum + count, 0) || 1;
  const cells = counts.map((count, said) => {
    const share = Math.min(1, said === label ? count / total : (8 * count) / total);
    const cell = el("td", { title: t("confusion.cell", { count, label, said }) }, count ? String(count) : "");
    if (count) cell.style.setProperty("--share", `${Math.round(45 * share + 8)}%`);
    cell.className = said === label ? "right" : count ? "wrong" : "none";
    return cell;
  });
  return el("tr", {}, el("th", { scope: "row" }, String(label)), cells);
}
