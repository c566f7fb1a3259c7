function a(t,e={},...s){let n=Object.assign(document.createElement(t),e);return n.append(...s),n}var U=100,w=class{#e=a("div",{className:"outlines"});#n=!1;constructor(e){e.append(this.#e)}toggle(){return this.#n=!this.#n,this.#t(),this.#n}#t(){if(!this.#n)return this.#e.replaceChildren();let e=[...document.querySelectorAll("turbo-frame")].slice(0,U);this.#e.replaceChildren(...e.map(B)),requestAnimationFrame(()=>this.#t())}};function B(t){let{left:e,top:s,width:n,height:r}=t.getBoundingClientRect(),i=t.hasAttribute("busy")?"loading":t.hasAttribute("src")&&!t.hasAttribute("complete")?"not loaded":"",o=a("span",{},[`#${t.id}`,i].filter(Boolean).join(" \xB7 ")),c=a("div",{},o);return Object.assign(c.style,{left:`${e}px`,top:`${s}px`,width:`${n}px`,height:`${r}px`}),c}var H="Z2lkOi8v";function N(t){let e=atob(t.replaceAll("-","+").replaceAll("_","/"));return new TextDecoder().decode(Uint8Array.from(e,s=>s.charCodeAt(0)))}var P=t=>t.split(".")[0],k=t=>(t.getAttribute("signed-stream-name")??"").includes(".")||t.hasAttribute("data-cursor");function f(t){try{let e=JSON.parse(N(P(t).split("--")[0])),s=e._rails?.data??e;return typeof s=="string"?s:null}catch{return null}}function x(t){let e=s=>{if(!s.startsWith(H))return s;try{return N(s)}catch{return s}};return t.split(":").map(e).join(":")}var z={applied:()=>"it arrived, and the page shows it",target_missing({ids:t},e){return e.startsWith("#")?`no element has the id \`${e}\`: a target is an id without \`#\`, so write \`${e.replace(/^#+/,"")}\`, or use \`targets\``:t?.length?`the page has no element \`${e}\`, but it has \`${t[0]}\`: give both the same id, also in what replaces it`:`the page has no element \`${e}\`: it is on another page, or a \`replace\` brought it without its id`},target_doubled:({count:t,nested:e,id:s},n)=>e?`\`${n}\` is inside of another \`${n}\`: an \`update\` brings only what is inside, so leave the wrapper out, or use \`replace\``:`the page has ${t} elements \`${s??n}\`, and Turbo takes the first: an id may be there once`,empty_template:()=>"its template has nothing in it, so there was nothing to show: look at what its partial renders",source_removed:()=>"what it replaced had the page's source tag in it, so the page reads the stream no more: move the tag outside",preview:()=>"the page was a preview of Turbo's cache, which the real page has replaced since: nothing is to be changed if that shows it, else turn previews off for it",permanent:()=>"the element has `data-turbo-permanent`, so a refresh leaves it as it is: take the attribute away, or replace the element",frame_without_match:({frame:t})=>`the answer has no frame \`${t}\`: put what it shows into a \`turbo-frame\` of this id`,misplaced:({element:t,parent:e})=>`the browser has put a \`${t}\` into a \`${e}\`, where it shows as nothing: its target has to be what may contain it`,unknown_action:(t,e,{action:s})=>`the page has no action \`${s}\`: define it in \`StreamActions\` before the stream connects`,own_refresh:()=>"Turbo leaves out a refresh that the page's own request has caused: answer that request with the change or a redirect",threw:({error:t})=>`the page threw while it was applied: ${t}; look at the browser's console`},M=(t,e)=>z[t.is](t,e.target??e.targets??"",e);var T=`
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
p.said { color: var(--state, var(--muted)) }
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
`;function D(t,e,s){if(Math.abs(t.length-e.length)>s)return s+1;let n=Array.from({length:e.length+1},(r,i)=>i);for(let r=1;r<=t.length;r+=1){let i=[r];for(let o=1;o<=e.length;o+=1)i[o]=Math.min(n[o]+1,i[o-1]+1,n[o-1]+(t[r-1]===e[o-1]?0:1));n=i}return n[e.length]}var $=t=>t.toLowerCase().replace(/[^\p{L}\p{N}]/gu,""),C=t=>t.match(/\d+/g)?.join(" ")??"";function L(t,e){let s=t.slice(0,100),n=Math.max(2,Math.floor(s.length/3)),r=new Map,i=2e3;for(let o of e){if((i-=1)<0)break;if(C(o)!==C(t))continue;let c=o.slice(0,100),l=$(c)===$(s)?0:D(s,c,n);l<=n&&r.set(o,l)}return[...r].sort(([,o],[,c])=>o-c).slice(0,5).map(([o])=>o)}var b="turbo-cable-stream-source, turbo-stream-source, turbo-cable-presence-source",S=["append","prepend","update"],Y=[...S,"before","after","replace","remove"],G={tr:["tbody","thead","tfoot","table"],td:["tr"],th:["tr"],tbody:["table"],thead:["table"],tfoot:["table"]},J=100,g=t=>[...document.querySelectorAll(`#${CSS.escape(t)}`)];function*W(){for(let{id:t}of document.body.querySelectorAll("[id]"))t&&(yield t)}function j(t,e){let s=t.getAttribute("action")??"",n=[],r=globalThis.Turbo?.StreamActions;r&&!(s in r)&&n.push({is:"unknown_action"}),s==="refresh"&&n.push(...V(t));let i=Y.includes(s)?Z(t,s,e,n):()=>{};return document.documentElement.hasAttribute("data-turbo-preview")&&n.push({is:"preview"}),()=>(i(),n)}function V(t){return globalThis.Turbo?.session?.recentRequests?.has(t.getAttribute("request-id"))?[{is:"own_refresh"}]:[]}function Z(t,e,s,n){let r=t.getAttribute("target"),i=K(t,n),o=t.firstElementChild,c=e!=="remove"&&o instanceof HTMLTemplateElement?o.content:null;e!=="remove"&&n.push(...ee(e,r,c,i));let l=s!==null&&e!=="remove"&&i.some(d=>d.contains(s)),h=new Map(ne(c).map(d=>[d,g(d).length]));return()=>{l&&n.push(...te(s));for(let[d,p]of h){let m=g(d).length;m>1&&p<2&&d!==r&&n.push({is:"target_doubled",id:d,count:m})}}}function K(t,e){let s=t.getAttribute("target"),n=t.getAttribute("targets");if(s){let r=g(s);r.length>1&&e.push({is:"target_doubled",count:r.length});let i=r.length===0?Q(s):[],o=t.getAttribute("action")==="remove"&&i.length===0;return r.length===0&&!o&&e.push({is:"target_missing",ids:i}),r.slice(0,1)}try{if(!n)return[];let r=[...document.querySelectorAll(n)];return r.length===0&&e.push({is:"target_missing",ids:/^[\w-]+$/.test(n)&&g(n).length>0?[`#${n}`]:[]}),r}catch{return[]}}function Q(t){let e=t.replace(/^[#.]+/,"");return e&&g(e).length>0?[e]:L(t,W())}function ee(t,e,s,n){if(!s)return[{is:"empty_template"}];if(s.childElementCount===0&&s.textContent?.trim()==="")return t==="update"?[]:[{is:"empty_template"}];let i=[],o=e&&s.querySelector(`#${CSS.escape(e)}`);if(o&&n.length>0){S.includes(t)&&i.push({is:"target_doubled",count:2,nested:!0});let h=[o,n[0]].every(d=>d.hasAttribute("data-turbo-permanent"));t==="replace"&&h&&i.push({is:"permanent"})}let c=S.includes(t)?n[0]:n[0]?.parentElement,l=c&&[...s.children].find(({localName:h})=>G[h]?.includes(c.localName)===!1);return l&&i.push({is:"misplaced",element:l.localName,parent:c.localName}),i}function te(t){let e=n=>f(n.getAttribute("signed-stream-name")??""),s=[...document.querySelectorAll(b)].some(n=>e(n)===e(t));return t.isConnected||s?[]:[{is:"source_removed"}]}var ne=t=>[...t?.querySelectorAll("[id]")??[]].map(({id:e})=>e).filter(Boolean).slice(0,J);var se=100;function O(){return[...document.querySelectorAll(b)].slice(0,se).map(re)}function re(t){let e=t.getAttribute("signed-stream-name"),s=e===null?null:f(e),n=s===null?t.getAttribute("channel")??t.localName:x(s),r=e!==null&&s===null?"unsigned":oe(t);return{stream:n,title:s??"",state:r,detail:ie(t,r)}}function oe(t){if(!customElements.get(t.localName))return"undefined";if(t.hasAttribute("rejected"))return"rejected";if(t.hasAttribute("stale"))return"stale";let e=t.streamSource;return(e instanceof EventSource?e.readyState===EventSource.OPEN:t.hasAttribute("connected"))?"connected":"waiting"}function ie(t,e){switch(e){case"undefined":return`No script of this page has defined <${t.localName}>: load @hotwired/turbo-rails, or forebay.js.`;case"unsigned":return"Its name is not signed: render the tag with stream_from (Rails: turbo_stream_from).";case"rejected":return`The server has refused it: ${t.getAttribute("rejected")}.`;case"stale":return"The page may lack something: its server is away.";case"waiting":return"Not confirmed. The inspector knows whether the server has refused it.";default:return k(t)||t.localName==="turbo-stream-source"?"":"It has no cursor: what was broadcast while the page was rendered is missing."}}var ae=50,ce=["own_refresh"],A=({seen:t})=>t.some(({is:e})=>!ce.includes(e)),v=class{changes=[];findings=0;#e=null;constructor(e,s){this.judged=e,this.changed=s,addEventListener("message",({target:n})=>n instanceof Element&&n.matches(b)&&this.#n({tag:n}),!0),document.addEventListener("forebay:show",n=>{let{identifier:r,offset:i}=n.detail,o=R(r);o&&this.#n({tag:o,offset:i??void 0})}),addEventListener("turbo:before-stream-render",n=>this.#t(n),!0),addEventListener("error",({error:n})=>this.#o(String(n),this.#e?.tag)),document.addEventListener("forebay:error",n=>{let{identifier:r,offset:i,detail:o}=n.detail;this.#o(o,R(r),i)}),addEventListener("turbo:frame-missing",({target:n})=>this.#r(n))}#n(e){this.#e=e,queueMicrotask(()=>this.#e=null)}#t(e){let{newStream:s,render:n}=e.detail,{tag:r,offset:i}=this.#e??{},o=d=>s.getAttribute(d),c=r?.getAttribute("signed-stream-name")??null,l=this.#s(o("action")??"",{target:o("target"),targets:o("targets"),stream:c,offset:i});e.detail.render=async d=>{let p=j(d,r??null),m=[];try{await n(d)}catch(u){throw m=[{is:"threw",error:u instanceof Error?u.message:String(u)}],u}finally{let u=p();this.#i(l,u.length>0?u:m)}};let h=e.detail.render;queueMicrotask(()=>{if(e.defaultPrevented)return this.#a(l);let d=e.detail.render;d!==h&&(e.detail.render=async p=>{try{await d(p)}finally{l.state==="waiting"&&this.#a(l)}})})}#o(e,s,n){let[,r]=/(<turbo-stream.*>): first child element must be a <template>/s.exec(e)??[];if(!r)return;let i=document.createElement("template");i.innerHTML=r;let o=l=>i.content.firstElementChild?.getAttribute(l)??null,c=s?.getAttribute("signed-stream-name")??null;this.#i(this.#s(o("action")??"",{target:o("target"),targets:o("targets"),stream:c,offset:n}),[{is:"empty_template"}])}#r({id:e}){this.#i(this.#s("frame",{target:e}),[{is:"frame_without_match",frame:e}])}#s(e,s){let n={at:Date.now(),action:e,target:null,targets:null,stream:null,...s,state:"waiting",seen:[]};return this.changes.push(n),this.changes.length>ae&&this.changes.shift(),this.changed(),n}#i(e,s){e.state="done",e.seen=s,A(e)&&(this.findings+=1),this.judged(e),this.changed()}#a(e){e.state="left",this.changed()}};function R(t){try{let{signed_stream_name:e}=JSON.parse(t);return document.querySelector(`[signed-stream-name=${JSON.stringify(e)}]`)}catch{return null}}var de="forebay-inspect",E="forebay.inspect",X={connected:["good","connected"],waiting:["wait","waiting"],stale:["wait","stale"],rejected:["bad","refused"],undefined:["bad","no script"],unsigned:["bad","not signed"]},_=class{#e=a(de);#n=this.#e.attachShadow({mode:"open"});#t=a("button",{className:"badge",type:"button"});#o=a("h1");#r=a("div",{className:"body",tabIndex:0});#s=a("section");#i=new w(this.#n);#a=!1;constructor(e,s){this.watch=e;let n=new CSSStyleSheet;n.replaceSync(T),this.#n.adoptedStyleSheets=[n],this.#t.setAttribute("aria-expanded","false"),this.#t.addEventListener("click",()=>this.#c(!0));let r=a("button",{type:"button",title:"Outline the page's frames"},"Frames");r.setAttribute("aria-pressed","false"),r.addEventListener("click",()=>r.setAttribute("aria-pressed",String(this.#i.toggle())));let i=a("button",{type:"button",title:"Close (Esc)",ariaLabel:"Close"},"\u2715");i.addEventListener("click",()=>this.#c(!1));let o=a("a",{href:s,target:"_blank",rel:"noopener",title:"All pages and broadcasts"},"Inspector");this.#s.setAttribute("aria-label","Forebay: the wiring of this page"),this.#s.append(a("header",{},this.#o,r,o,i),this.#r),this.#s.addEventListener("keydown",c=>{c.stopPropagation(),c.key==="Escape"&&this.#c(!1)}),this.#n.append(this.#t,this.#s),this.#d(ue()),new MutationObserver(()=>this.changed()).observe(document,{subtree:!0,childList:!0,attributeFilter:["connected","stale","rejected","signed-stream-name"]}),this.changed()}changed(){this.#e.isConnected||document.documentElement.append(this.#e),!this.#a&&(this.#a=!0,requestAnimationFrame(()=>{this.#a=!1,this.#l()}))}#c(e){this.#d(e),pe(e),this.#l(),(e?this.#r:this.#t).focus()}#d(e){this.#s.hidden=!e,this.#t.hidden=e}#l(){let e=O(),{changes:s,findings:n}=this.watch,r=n>0?"bad":["bad","wait","good"].find(c=>e.some(({state:l})=>X[l][0]===c))??"",i=()=>a("span",{className:`dot ${r}`}),o=`${q(e.length,"tag")}${n>0?` \xB7 ${q(n,"finding")}`:""}`;this.#t.replaceChildren(i(),o),this.#t.setAttribute("aria-label",`Forebay: ${o}`),!this.#s.hidden&&(this.#o.replaceChildren(i(),a("span",{},o)),this.#r.replaceChildren(a("h2",{},"Tags"),e.length>0?a("ul",{className:"tags"},...e.map(le)):a("p",{className:"none"},"No source tag: this page hears of nothing."),a("h2",{},"Broadcasts"),s.length>0?a("ul",{className:"changes"},...[...s].reverse().map(he)):a("p",{className:"none"},"None yet.")))}};function le({stream:t,title:e,state:s,detail:n}){let[r,i]=X[s],o=a("li",{className:r},a("span",{className:"dot"}),a("code",{title:e},t),a("em",{},i));return n&&o.append(a("p",{},n)),o}function he(t){let{at:e,action:s,state:n,seen:r,stream:i}=t,o=t.target??t.targets,c=A(t)?"bad":n==="done"?"good":n==="waiting"?"wait":"",l=a("code",{},s,...o?[a("i",{}," \u2192 "),o]:[]),h=a("time",{},new Date(e).toLocaleTimeString([],{hour12:!1})),d=a("li",{className:c},a("span",{className:"dot"}),l,h),p=i&&f(i),m=n==="left"?["not shown by Turbo: left out, or rendered by the page itself"]:r.map(u=>M(u,t));return d.append(...m.map(u=>a("p",{className:"said"},u))),p&&d.append(a("p",{},a("code",{title:p},x(p)))),d}var q=(t,e)=>`${t} ${e}${t===1?"":"s"}`;function ue(){try{return sessionStorage.getItem(E)==="open"}catch{return!1}}function pe(t){try{t?sessionStorage.setItem(E,"open"):sessionStorage.removeItem(E)}catch{}}var I=(t,e)=>new _(t,e);var y=class{#e=[];#n=0;#t=0;#o=!1;#r;constructor(e){this.url=e,addEventListener("pagehide",()=>{this.#i()})}add({at:e,action:s,target:n,targets:r,stream:i,offset:o,seen:c}){if(this.#o)return;let l={at:e,stream:i,offset:o,action:s,target:n,targets:r},h=c.length>0?c:[{is:"applied"}];for(let d of[...h].reverse())this.#s(JSON.stringify({...l,target:d.id??n,seen:d},F));this.#r??=setTimeout(()=>{this.#i()},250)}#s(e){let s=/^[\0-\x7f]*$/.test(e)?e.length:e.length*3;if(this.#n+s>3e4)return void(this.#t+=1);this.#n+=s+1,this.#e.push(e)}async#i(){if(clearTimeout(this.#r),this.#r=void 0,this.#e.length===0)return;let s=`${JSON.stringify({path:F("path",location.pathname),dropped:this.#t}).slice(0,-1)},"reports":[${this.#e.join(",")}]}`;this.#e=[],this.#n=this.#t=0;try{let{ok:n}=await fetch(this.url,{method:"POST",body:s,keepalive:!0,headers:{"content-type":"application/json"}});this.#o=!n}catch{}}},F=(t,e)=>typeof e=="string"?e.slice(0,t==="stream"?1700:200):e;var me=new y(new URL("inspect/reports",import.meta.url).href),fe=new v(t=>me.add(t),()=>ge.changed()),ge=I(fe,new URL("inspect",import.meta.url).href);
