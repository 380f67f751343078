// The device page's chart: what the server gives, gaps as gaps, estimates hatched, alarms as marks.
/* global echarts */

const box = document.getElementById("chart");
const words = box && JSON.parse(box.dataset.words);
let chart = null;
let data = null;

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const clock = (options) => new Intl.DateTimeFormat(document.documentElement.lang, { ...options, hour12: false, timeZone: data.zone });

function when(at) {
  return clock({ month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" }).format(at);
}

function tick(at) {
  const time = clock({ hour: "2-digit", minute: "2-digit" }).format(at);
  return data.range !== "day" || time === "00:00" ? clock({ month: "numeric", day: "numeric" }).format(at) : time;
}

function level(value) {
  return data.states ? data.states[value] ?? value : Number(value).toLocaleString(document.documentElement.lang);
}

function line(points, name, more) {
  return { name, type: "line", data: points.map((point) => [point.at, point.value === null ? null : Number(point.value)]), showSymbol: false, connectNulls: false, step: data.states ? "end" : false, ...more };
}

function bars(points, name) {
  const hatch = { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [2, 3], rotation: Math.PI / 4, color: token("--surface") };
  return {
    name, type: "bar", barMaxWidth: 26, itemStyle: { color: token("--accent"), borderRadius: [2, 2, 0, 0] },
    data: points.map((point) => ({ value: [point.at, point.value === null ? null : Number(point.value)], itemStyle: point.is_estimate ? { decal: hatch } : {} })),
  };
}

function marks() {
  return data.marks.map((mark) => [
    { xAxis: mark.from, name: mark.label, itemStyle: { color: token(`--p${mark.priority}-ground`), opacity: 0.9 }, label: { show: false } },
    { xAxis: mark.to },
  ]);
}

function draw() {
  const dashed = { type: "dashed", color: token("--muted"), width: 1.2 };
  const main = data.kind === "bars" ? bars(data.points, words.now) : line(data.points, words.now, { lineStyle: { width: 1.6, color: token("--accent") }, color: token("--accent") });
  main.markArea = { silent: true, data: marks() };
  const before = line(data.before, words.before, { lineStyle: dashed, color: token("--muted"), z: 1 });
  const text = { color: token("--muted"), fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 12 };
  chart.setOption({
    animation: false,
    textStyle: text,
    grid: { left: 14, right: 18, top: 34, bottom: 8, containLabel: true },
    legend: { right: 14, top: 4, itemWidth: 18, itemHeight: 8, textStyle: text, data: data.before.length ? [words.now, words.before] : [words.now] },
    tooltip: { trigger: "axis", renderMode: "richText", backgroundColor: token("--surface"), borderColor: token("--line-strong"), textStyle: { ...text, color: token("--text") }, formatter: tip },
    xAxis: { type: "time", min: data.from, max: data.to, axisLine: { lineStyle: { color: token("--line-strong") } }, axisTick: { show: false }, axisLabel: { ...text, formatter: tick, hideOverlap: true }, splitLine: { show: false } },
    yAxis: { type: "value", scale: data.kind !== "bars", name: data.unit, nameTextStyle: { ...text, align: "left" }, nameGap: 12, minInterval: data.states ? 1 : 0, axisLabel: { ...text, formatter: level }, splitLine: { lineStyle: { color: token("--line") } } },
    series: data.before.length ? [before, main] : [main],
  }, true);
}

function tip(shown) {
  const rows = shown.filter((each) => each.value[1] !== null && each.value[1] !== undefined);
  const unit = data.unit ? ` ${data.unit}` : "";
  return [when(shown[0].value[0]), ...rows.map((each) => `${each.seriesName}  ${level(each.value[1])}${unit}`)].join("\n");
}

async function load() {
  const response = await fetch(box.dataset.url).catch(() => null);
  if (!response?.ok) {
    if (!chart) box.textContent = words.failed;
    return;
  }
  data = await response.json();
  const note = document.getElementById("chart-empty");
  const isEmpty = !data.points.some((point) => point.value !== null);
  note.hidden = !isEmpty;
  box.hidden = isEmpty;
  if (isEmpty) return;
  chart ??= echarts.init(box, null, { renderer: "canvas" });
  box.setAttribute("aria-label", `${words.now}: ${data.points.length}`);
  draw();
}

if (box) {
  load();
  setInterval(() => { if (!document.hidden) load(); }, 30000);
  addEventListener("resize", () => chart?.resize());
  document.addEventListener("gatehouse:theme", () => chart && draw());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => chart && draw());
}
