function a(t,e={},...s){let n=Object.assign(document.createElement(t),e);return n.append(...s),n}var B=100,w=class{#e=a("div",{className:"outlines"});#n=!1;constructor(e){e.append(this.#e)}toggle(){return this.#n=!this.#n,this.#t(),this.#n}#t(){if(!this.#n)return this.#e.replaceChildren();let e=[...document.querySelectorAll("turbo-frame")].slice(0,B);this.#e.replaceChildren(...e.map(D)),requestAnimationFrame(()=>this.#t())}};function D(t){let{left:e,top:s,width:n,height:r}=t.getBoundingClientRect(),i=t.hasAttribute("busy")?"loading":t.hasAttribute("src")&&!t.hasAttribute("complete")?"not loaded":"",o=a("span",{},[`#${t.id}`,i].filter(Boolean).join(" \xB7 ")),c=a("div",{},o);return Object.assign(c.style,{left:`${e}px`,top:`${s}px`,width:`${n}px`,height:`${r}px`}),c}var G="Z2lkOi8v";function T(t){let e=atob(t.replaceAll("-","+").replaceAll("_","/"));return new TextDecoder().decode(Uint8Array.from(e,s=>s.charCodeAt(0)))}var E=t=>t.split(".")[0],m=t=>/\.(.*)/.exec(t.getAttribute("signed-stream-name")??"")?.[1]??t.getAttribute("data-cursor");function f(t){try{let e=JSON.parse(T(E(t).split("--")[0])),s=e._rails?.data??e;return typeof s=="string"?s:null}catch{return null}}function x(t){let e=s=>{if(!s.startsWith(G))return s;try{return T(s)}catch{return s}};return t.split(":").map(e).join(":")}var J={applied:()=>"it arrived, and the page shows it",target_missing({ids:t},e){return e.startsWith("#")?`no element has the id \`${e}\`: a target is an id without \`#\`, so write \`${e.replace(/^#+/,"")}\`, or use \`targets\``:t?.length?`the page has no element \`${e}\`, but it has \`${t[0]}\`: give both the same id, also in what replaces it`:`the page has no element \`${e}\`: it is on another page, or a \`replace\` brought it without its id`},target_doubled:({count:t,nested:e,id:s},n)=>e?`\`${n}\` is inside of another \`${n}\`: an \`update\` brings only what is inside, so leave the wrapper out, or use \`replace\``:`the page has ${t} elements \`${s??n}\`, and Turbo takes the first: an id may be there once`,empty_template:()=>"its template has nothing in it, so there was nothing to show: look at what its partial renders",source_removed:()=>"what it replaced had the page's source tag in it, so the page reads the stream no more: move the tag outside",preview:()=>"the page was a preview of Turbo's cache, which the real page has replaced since: nothing is to be changed if that shows it, else turn previews off for it",permanent:()=>"the element has `data-turbo-permanent`, so a refresh leaves it as it is: take the attribute away, or replace the element",frame_without_match:({frame:t})=>`the answer has no frame \`${t}\`: put what it shows into a \`turbo-frame\` of this id`,misplaced:({element:t,parent:e})=>`the browser has put a \`${t}\` into a \`${e}\`, where it shows as nothing: its target has to be what may contain it`,unknown_action:(t,e,{action:s})=>`the page has no action \`${s}\`: define it in \`StreamActions\` before the stream connects`,own_refresh:()=>"Turbo leaves out a refresh that the page's own request has caused: answer that request with the change or a redirect",threw:({error:t})=>`the page threw while it was applied: ${t}; look at the browser's console`},C=(t,e)=>J[t.is](t,e.target??e.targets??"",e);var L=`
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
`;function W(t,e,s){if(Math.abs(t.length-e.length)>s)return s+1;let n=Array.from({length:e.length+1},(r,i)=>i);for(let r=1;r<=t.length;r+=1){let i=[r];for(let o=1;o<=e.length;o+=1)i[o]=Math.min(n[o]+1,i[o-1]+1,n[o-1]+(t[r-1]===e[o-1]?0:1));n=i}return n[e.length]}var O=t=>t.toLowerCase().replace(/[^\p{L}\p{N}]/gu,""),j=t=>t.match(/\d+/g)?.join(" ")??"";function R(t,e){let s=t.slice(0,100),n=Math.max(2,Math.floor(s.length/3)),r=new Map,i=2e3;for(let o of e){if((i-=1)<0)break;if(j(o)!==j(t))continue;let c=o.slice(0,100),d=O(c)===O(s)?0:W(s,c,n);d<=n&&r.set(o,d)}return[...r].sort(([,o],[,c])=>o-c).slice(0,5).map(([o])=>o)}var b="turbo-cable-stream-source, turbo-stream-source, turbo-cable-presence-source",N=["append","prepend","update"],Y=[...N,"before","after","replace","remove"],V={tr:["tbody","thead","tfoot","table"],td:["tr"],th:["tr"],tbody:["table"],thead:["table"],tfoot:["table"]},Z=100,g=t=>[...document.querySelectorAll(`#${CSS.escape(t)}`)];function*K(){for(let{id:t}of document.body.querySelectorAll("[id]"))t&&(yield t)}function q(t,e){let s=t.getAttribute("action")??"",n=[],r=globalThis.Turbo?.StreamActions;r&&!(s in r)&&n.push({is:"unknown_action"}),s==="refresh"&&n.push(...Q(t));let i=Y.includes(s)?ee(t,s,e,n):()=>{};return document.documentElement.hasAttribute("data-turbo-preview")&&n.push({is:"preview"}),()=>(i(),n)}function Q(t){return globalThis.Turbo?.session?.recentRequests?.has(t.getAttribute("request-id"))?[{is:"own_refresh"}]:[]}function ee(t,e,s,n){let r=t.getAttribute("target"),i=te(t,n),o=t.firstElementChild,c=e!=="remove"&&o instanceof HTMLTemplateElement?o.content:null;e!=="remove"&&n.push(...se(e,r,c,i));let d=s!==null&&e!=="remove"&&i.some(l=>l.contains(s)),h=new Map(oe(c).map(l=>[l,g(l).length]));return()=>{d&&n.push(...re(s));for(let[l,p]of h){let u=g(l).length;u>1&&p<2&&l!==r&&n.push({is:"target_doubled",id:l,count:u})}}}function te(t,e){let s=t.getAttribute("target"),n=t.getAttribute("targets");if(s){let r=g(s);r.length>1&&e.push({is:"target_doubled",count:r.length});let i=r.length===0?ne(s):[],o=t.getAttribute("action")==="remove"&&i.length===0;return r.length===0&&!o&&e.push({is:"target_missing",ids:i}),r.slice(0,1)}try{if(!n)return[];let r=[...document.querySelectorAll(n)];return r.length===0&&e.push({is:"target_missing",ids:/^[\w-]+$/.test(n)&&g(n).length>0?[`#${n}`]:[]}),r}catch{return[]}}function ne(t){let e=t.replace(/^[#.]+/,"");return e&&g(e).length>0?[e]:R(t,K())}function se(t,e,s,n){if(!s)return[{is:"empty_template"}];if(s.childElementCount===0&&s.textContent?.trim()==="")return t==="update"?[]:[{is:"empty_template"}];let i=[],o=e&&s.querySelector(`#${CSS.escape(e)}`);if(o&&n.length>0){N.includes(t)&&i.push({is:"target_doubled",count:2,nested:!0});let h=[o,n[0]].every(l=>l.hasAttribute("data-turbo-permanent"));t==="replace"&&h&&i.push({is:"permanent"})}let c=N.includes(t)?n[0]:n[0]?.parentElement,d=c&&[...s.children].find(({localName:h})=>V[h]?.includes(c.localName)===!1);return d&&i.push({is:"misplaced",element:d.localName,parent:c.localName}),i}function re(t){let e=n=>f(n.getAttribute("signed-stream-name")??""),s=[...document.querySelectorAll(b)].some(n=>e(n)===e(t));return t.isConnected||s?[]:[{is:"source_removed"}]}var oe=t=>[...t?.querySelectorAll("[id]")??[]].map(({id:e})=>e).filter(Boolean).slice(0,Z);var ie=100;function X(){return[...document.querySelectorAll(b)].slice(0,ie).map(ae)}function ae(t){let e=t.getAttribute("signed-stream-name"),s=e===null?null:f(e),n=s===null?t.getAttribute("channel")??t.localName:x(s),r=e!==null&&s===null?"unsigned":ce(t);return{stream:n,title:s??"",state:r,detail:de(t,r)}}function ce(t){if(!customElements.get(t.localName))return"undefined";if(t.hasAttribute("rejected"))return"rejected";if(t.hasAttribute("stale"))return"stale";let e=t.streamSource;return(e instanceof EventSource?e.readyState===EventSource.OPEN:t.hasAttribute("connected"))?"connected":"waiting"}function de(t,e){switch(e){case"undefined":return`No script of this page has defined <${t.localName}>: load @hotwired/turbo-rails, or forebay.js.`;case"unsigned":return"Its name is not signed: render the tag with stream_from (Rails: turbo_stream_from).";case"rejected":return`The server has refused it: ${t.getAttribute("rejected")}.`;case"stale":return"The page may lack something: its server is away.";case"waiting":return"Not confirmed. The inspector knows whether the server has refused it.";default:return m(t)!==null||t.localName==="turbo-stream-source"?"":"It has no cursor: what was broadcast while the page was rendered is missing."}}var le=50,he=["own_refresh"],k=({seen:t})=>t.some(({is:e})=>!he.includes(e)),v=class{changes=[];findings=0;#e=null;constructor(e,s){this.judged=e,this.changed=s,addEventListener("message",({target:n})=>n instanceof Element&&n.matches(b)&&this.#n({tag:n}),!0),document.addEventListener("forebay:show",n=>{let{identifier:r,offset:i}=n.detail,o=I(r);o&&this.#n({tag:o,offset:i??void 0})}),addEventListener("turbo:before-stream-render",n=>this.#t(n),!0),addEventListener("error",({error:n})=>this.#r(String(n),this.#e?.tag)),document.addEventListener("forebay:error",n=>{let{identifier:r,offset:i,detail:o}=n.detail;this.#r(o,I(r),i)}),addEventListener("turbo:frame-missing",({target:n})=>this.#i(n))}#n(e){this.#e=e,queueMicrotask(()=>this.#e=null)}#t(e){let{newStream:s,render:n}=e.detail,{tag:r,offset:i}=this.#e??{},o=h=>s.getAttribute(h),c=this.#s(o("action")??"",{target:o("target"),targets:o("targets"),..._(r),offset:i});e.detail.render=async h=>{let l=q(h,r??null),p=[];try{await n(h)}catch(u){throw p=[{is:"threw",error:u instanceof Error?u.message:String(u)}],u}finally{let u=l();this.#a(c,u.length>0?u:p)}};let d=e.detail.render;queueMicrotask(()=>{if(e.defaultPrevented)return this.#o(c);let h=e.detail.render;h!==d&&(e.detail.render=async l=>{try{await h(l)}finally{c.state==="waiting"&&this.#o(c)}})})}#r(e,s,n){let[,r]=/(<turbo-stream.*>): first child element must be a <template>/s.exec(e)??[];if(!r)return;let i=document.createElement("template");i.innerHTML=r;let o=d=>i.content.firstElementChild?.getAttribute(d)??null,c=this.#s(o("action")??"",{target:o("target"),targets:o("targets"),..._(s),offset:n});this.#a(c,[{is:"empty_template"}])}#i({id:e}){this.#a(this.#s("frame",{target:e}),[{is:"frame_without_match",frame:e}])}#s(e,s){let n={at:Date.now(),action:e,target:null,targets:null,..._(),...s,state:"waiting",seen:[]};return this.changes.push(n),this.changes.length>le&&this.changes.shift(),this.changed(),n}#a(e,s){e.state="done",e.seen=s,k(e)&&(this.findings+=1),this.judged(e),this.changed()}#o(e){e.state="left",this.changed()}};function _(t){let e=t?.getAttribute("signed-stream-name");return{stream:e?E(e):null,page:t?m(t):null}}function I(t){try{let{signed_stream_name:e}=JSON.parse(t);return document.querySelector(`[signed-stream-name=${JSON.stringify(e)}]`)}catch{return null}}var ue="forebay-inspect",$="forebay.inspect",U={connected:["good","connected"],waiting:["wait","waiting"],stale:["wait","stale"],rejected:["bad","refused"],undefined:["bad","no script"],unsigned:["bad","not signed"]},M=class{#e=a(ue);#n=this.#e.attachShadow({mode:"open"});#t=a("button",{className:"badge",type:"button"});#r=a("h1");#i=a("div",{className:"body",tabIndex:0});#s=a("section");#a=new w(this.#n);#o=!1;constructor(e,s){this.watch=e;let n=new CSSStyleSheet;n.replaceSync(L),this.#n.adoptedStyleSheets=[n],this.#t.setAttribute("aria-expanded","false"),this.#t.addEventListener("click",()=>this.#c(!0));let r=a("button",{type:"button",title:"Outline the page's frames"},"Frames");r.setAttribute("aria-pressed","false"),r.addEventListener("click",()=>r.setAttribute("aria-pressed",String(this.#a.toggle())));let i=a("button",{type:"button",title:"Close (Esc)",ariaLabel:"Close"},"\u2715");i.addEventListener("click",()=>this.#c(!1));let o=a("a",{href:s,target:"_blank",rel:"noopener",title:"All pages and broadcasts"},"Inspector");this.#s.setAttribute("aria-label","Forebay: the wiring of this page"),this.#s.append(a("header",{},this.#r,r,o,i),this.#i),this.#s.addEventListener("keydown",c=>{c.stopPropagation(),c.key==="Escape"&&this.#c(!1)}),this.#n.append(this.#t,this.#s),this.#d(ge()),new MutationObserver(()=>this.changed()).observe(document,{subtree:!0,childList:!0,attributeFilter:["connected","stale","rejected","signed-stream-name"]}),this.changed()}changed(){this.#e.isConnected||document.documentElement.append(this.#e),!this.#o&&(this.#o=!0,requestAnimationFrame(()=>{this.#o=!1,this.#l()}))}#c(e){this.#d(e),be(e),this.#l(),(e?this.#i:this.#t).focus()}#d(e){this.#s.hidden=!e,this.#t.hidden=e}#l(){let e=X(),{changes:s,findings:n}=this.watch,r=n>0?"bad":["bad","wait","good"].find(c=>e.some(({state:d})=>U[d][0]===c))??"",i=()=>a("span",{className:`dot ${r}`}),o=`${F(e.length,"tag")}${n>0?` \xB7 ${F(n,"finding")}`:""}`;this.#t.replaceChildren(i(),o),this.#t.setAttribute("aria-label",`Forebay: ${o}`),!this.#s.hidden&&(this.#r.replaceChildren(i(),a("span",{},o)),this.#i.replaceChildren(a("h2",{},"Tags"),e.length>0?a("ul",{className:"tags"},...e.map(pe)):a("p",{className:"none"},"No source tag: this page hears of nothing."),a("h2",{},"Broadcasts"),s.length>0?a("ul",{className:"changes"},...[...s].reverse().map(me)):a("p",{className:"none"},"None yet.")))}};function pe({stream:t,title:e,state:s,detail:n}){let[r,i]=U[s],o=a("li",{className:r},a("span",{className:"dot"}),a("code",{title:e},t),a("em",{},i));return n&&o.append(a("p",{},n)),o}function me(t,e,s){let n=t.stream!==s[e-1]?.stream,{action:r,state:i,seen:o,stream:c}=t,d=t.target??t.targets,h=k(t)?"bad":i==="done"?"good":i==="waiting"?"wait":"",l=a("code",{},r,...d?[a("i",{}," \u2192 "),d]:[]),p=a("time",{},new Date(t.at).toLocaleTimeString([],{hour12:!1})),u=a("li",{className:h},a("span",{className:"dot"}),l,p),S=c&&f(c),z=i==="left"?["not shown by Turbo: left out, or rendered by the page itself"]:o.map(A=>C(A,t));return u.append(...z.map(A=>a("p",{className:"said"},...fe(A)))),S&&n&&u.append(a("p",{},a("code",{title:S},x(S)))),u}var fe=t=>t.split("`").map((e,s)=>s%2===1?a("code",{},e):e),F=(t,e)=>`${t} ${e}${t===1?"":"s"}`;function ge(){try{return sessionStorage.getItem($)==="open"}catch{return!1}}function be(t){try{t?sessionStorage.setItem($,"open"):sessionStorage.removeItem($)}catch{}}var H=(t,e)=>new M(t,e);var we=250,xe=3e4,ve=200,ye=1700,y=class{#e=[];#n=0;#t=0;#r=null;#i=!1;#s;constructor(e){this.url=e,addEventListener("pagehide",()=>{this.#o()})}add({at:e,action:s,target:n,targets:r,stream:i,page:o,offset:c,seen:d}){if(this.#i)return;this.#r=o??this.#r;let h={at:e,stream:i,offset:c,action:s,target:n,targets:r},l=d.length>0?d:[{is:"applied"}];for(let p of[...l].reverse())this.#a(JSON.stringify({...h,target:p.id??n,seen:p},P));this.#s??=setTimeout(()=>{this.#o()},we)}#a(e){let s=/^[\0-\x7f]*$/.test(e)?e.length:e.length*3;if(this.#n+s>xe)return void(this.#t+=1);this.#n+=s+1,this.#e.push(e)}async#o(){if(clearTimeout(this.#s),this.#s=void 0,this.#e.length===0)return;let e=document.querySelector("[signed-stream-name]"),s=this.#r??(e&&m(e)),r=`${JSON.stringify({page:s,path:P("path",location.pathname),dropped:this.#t}).slice(0,-1)},"reports":[${this.#e.join(",")}]}`;this.#e=[],this.#n=this.#t=0;try{let{ok:i}=await fetch(this.url,{method:"POST",body:r,keepalive:!0,headers:{"content-type":"application/json"}});this.#i=!i}catch{}}},P=(t,e)=>typeof e=="string"?e.slice(0,t==="stream"?ye:ve):e;var Se=new y(new URL("inspect/reports",import.meta.url).href),Ae=new v(t=>Se.add(t),()=>Ee.changed()),Ee=H(Ae,new URL("inspect",import.meta.url).href);
