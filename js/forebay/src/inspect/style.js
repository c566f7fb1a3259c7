/** How the panel looks. It lives in a shadow root, so neither the page's styles nor these reach over. */
export const STYLE = `
:host {
  all: initial;
  color-scheme: light dark;
  --surface: light-dark(#fff, #161e1d);
  --sunken: light-dark(#f1f4f3, #0f1514);
  --line: light-dark(#d7dfdc, #2a3635);
  --text: light-dark(#17211f, #e7eeec);
  --muted: light-dark(#53625e, #9fb0ac);
  --accent: light-dark(#0d6570, #63c9cf);
  --good: light-dark(#14804a, #4fcf8b);
  --wait: light-dark(#9a6200, #e9b04f);
  --bad: light-dark(#b3261e, #ff8a80);
  --mono: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font: 13px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
  color: var(--text);
}
@media print { :host { display: none } }
[hidden] { display: none !important }
button, a { font: inherit; color: inherit }
button { cursor: pointer }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
.good { --state: var(--good) }
.wait { --state: var(--wait) }
.bad { --state: var(--bad) }
.dot { flex: none; width: 8px; height: 8px; border-radius: 50%; background: var(--state, var(--muted)) }

.badge, section {
  position: fixed;
  right: max(12px, env(safe-area-inset-right));
  bottom: max(12px, env(safe-area-inset-bottom));
  z-index: 2147483647;
  box-sizing: border-box;
  border: 1px solid var(--line);
  background: var(--surface);
  box-shadow: 0 1px 2px rgb(0 0 0 / 8%), 0 8px 28px rgb(0 0 0 / 14%);
}
.badge {
  display: flex;
  align-items: center;
  gap: 8px;
  min-height: 32px;
  padding: 0 12px;
  border-radius: 16px;
}
@media (pointer: coarse) { .badge { min-height: 44px; border-radius: 22px; padding: 0 16px } }

section {
  display: flex;
  flex-direction: column;
  width: min(420px, calc(100vw - 24px));
  max-height: min(560px, calc(100vh - 24px));
  overflow: hidden;
  border-radius: 12px;
}
header { display: flex; align-items: center; gap: 8px; padding: 10px 8px 10px 14px; border-bottom: 1px solid var(--line) }
h1, h2 { margin: 0; font: inherit; font-weight: 600 }
h1 { flex: 1; display: flex; align-items: center; gap: 8px; min-width: 0 }
h1 span:last-child { overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
header button, header a {
  display: inline-grid;
  place-items: center;
  box-sizing: border-box;
  min-width: 32px;
  height: 32px;
  padding: 0 9px;
  border: 1px solid transparent;
  border-radius: 8px;
  background: none;
  color: var(--muted);
  text-decoration: none;
}
header button:hover, header a:hover { background: var(--sunken); color: var(--text) }
header button[aria-pressed=true] { border-color: var(--line); background: var(--sunken); color: var(--accent) }
@media (pointer: coarse) { header button, header a { min-width: 44px; height: 44px } }

.body { overflow: auto; overscroll-behavior: contain; padding-bottom: 6px }
h2 { position: sticky; top: 0; padding: 10px 14px 4px; background: var(--surface); color: var(--muted); font-size: 11px; letter-spacing: .04em }
ul { margin: 0; padding: 0; list-style: none }
li { display: grid; grid-template-columns: 8px minmax(0, 1fr) auto; column-gap: 10px; align-items: baseline; padding: 5px 14px }
li + li { border-top: 1px solid var(--sunken) }
code { font: 12px/1.5 var(--mono); overflow-wrap: anywhere }
li i { color: var(--muted); font-style: normal }
time, li > em { color: var(--muted); font: 11px/1.5 var(--mono); font-style: normal; white-space: nowrap }
li > em { color: var(--state, var(--muted)) }
p { grid-column: 2 / -1; margin: 0; color: var(--muted); overflow-wrap: anywhere }
p.said { color: var(--text) }
.bad > code { color: var(--state) }
.none { padding: 2px 14px 10px; color: var(--muted) }

.outlines { position: fixed; inset: 0; z-index: 2147483646; overflow: hidden; pointer-events: none }
.outlines div { position: absolute; box-sizing: border-box; border: 1.5px dashed var(--accent); border-radius: 4px }
.outlines span {
  position: absolute;
  top: -1px;
  left: -1px;
  padding: 0 6px;
  border-radius: 4px 0 4px 0;
  background: var(--accent);
  color: var(--surface);
  font: 11px/18px var(--mono);
  white-space: nowrap;
}

@media (max-width: 480px) {
  section { right: 0; bottom: 0; left: 0; width: auto; max-height: 70vh; border-width: 1px 0 0; border-radius: 14px 14px 0 0; padding-bottom: env(safe-area-inset-bottom) }
}
`;
