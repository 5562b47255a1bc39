package api

// The pages of the reports: one style, for the screen in light and dark and for paper, and a template each.

const reportStyle = `
:root{color-scheme:light dark;--text:#17202b;--soft:#52606f;--line:#d8dde3;--back:#fff;--sunk:#f3f5f7;--accent:#8a5a16;--critical:#a3123f;--high:#b4400f;--medium:#8a6400;--low:#31629a;--info:#5b6773;--ok:#1d7a45;--gray:#9aa5b1}
@media (prefers-color-scheme:dark){:root{--text:#e8ecf1;--soft:#a4afbc;--line:#2b333d;--back:#11161c;--sunk:#181f27;--accent:#d9a35a;--critical:#ff7d9c;--high:#ff9d6b;--medium:#e8c04f;--low:#86b4ec;--info:#a4afbc;--ok:#67cf92;--gray:#5d6874}}
*{box-sizing:border-box}
body{margin:0 auto;padding:2.2rem 1.4rem 4rem;max-width:62rem;background:var(--back);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
header{border-bottom:3px solid var(--accent);padding-bottom:1rem;margin-bottom:1.6rem}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .3rem;letter-spacing:-.015em}
h2{font-size:1.2rem;margin:2.2rem 0 .6rem;padding-top:.2rem;break-after:avoid}
h3{font-size:1rem;margin:1.2rem 0 .3rem;break-after:avoid}
p{margin:.3rem 0}
.soft,small,.under{color:var(--soft)}
.under{display:block;font-size:.87rem}
table{width:100%;border-collapse:collapse;margin:.4rem 0 .8rem;font-size:.92rem}
th,td{text-align:left;vertical-align:top;padding:.42rem .7rem .42rem 0;border-bottom:1px solid var(--line)}
th{font-size:.8rem;color:var(--soft);font-weight:600;white-space:nowrap}
tr{break-inside:avoid}
td.num,th.num{text-align:right;white-space:nowrap}
td.nowrap{white-space:nowrap}
dl{display:grid;grid-template-columns:minmax(8rem,auto) minmax(0,1fr);gap:.25rem 1.2rem;margin:.4rem 0}
dt{color:var(--soft)}
dd{margin:0}
ul{margin:.3rem 0 .6rem;padding-left:1.2rem}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:.7rem;margin:0;padding:0;list-style:none}
.figures li{background:var(--sunk);border:1px solid var(--line);border-radius:6px;padding:.6rem .8rem;break-inside:avoid}
.figures b{display:block;font-size:1.55rem;line-height:1.2}
.sev{font-weight:650;white-space:nowrap}
.critical{color:var(--critical)}.high{color:var(--high)}.medium{color:var(--medium)}.low{color:var(--low)}.info{color:var(--info)}
svg{display:block;width:100%;height:auto}
rect.pass{fill:var(--ok)}rect.fail{fill:var(--critical)}rect.unknown{fill:var(--gray)}rect.excepted{fill:var(--low)}
svg.bar{width:11rem;height:.75rem;margin-top:.3rem}
.axis{display:flex;justify-content:space-between;color:var(--soft);font-size:.85rem}
.key{font-size:.87rem;color:var(--soft)}
.key svg{display:inline-block;width:.7rem;height:.7rem;margin:0 .3rem 0 .8rem}
.lack{background:var(--sunk);border-left:3px solid var(--medium);padding:.6rem .9rem;margin:.5rem 0;break-inside:avoid}
.only{display:none}
footer{margin-top:2.6rem;border-top:1px solid var(--line);padding-top:.7rem;color:var(--soft);font-size:.85rem}
@media (max-width:40rem){body{padding:1.2rem .9rem 3rem}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.45rem}table,tbody,tr,td{display:block}thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}tr{border-bottom:1px solid var(--line);padding:.4rem 0}td{border:0;padding:.1rem 0}td.num{text-align:left}.only{display:inline}}
@page{margin:16mm 14mm}
@media print{:root{color-scheme:light;--text:#000;--soft:#444;--line:#bbb;--back:#fff;--sunk:#f4f4f4;--accent:#8a5a16;--critical:#a3123f;--high:#b4400f;--medium:#7a5900;--low:#31629a;--info:#444;--ok:#1d7a45;--gray:#9aa5b1}body{max-width:none;padding:0;font-size:10.5pt;print-color-adjust:exact;-webkit-print-color-adjust:exact}h1{font-size:20pt}}
`

const reportParts = `
{{define "head"}}<header><p class="soft">{{seen .Tenant}}{{with .Domain}} · {{seen .}}{{end}}</p><h1>{{seen .Title}}</h1><p class="soft">Made {{at .Made}}{{with .By}} for {{seen .}}{{end}} by Tocsin. Times are in UTC.</p></header>{{end}}
{{define "foot"}}<footer>What is not known is said as such, and never counts as well. This document has no script and loads nothing.</footer>{{end}}
{{define "sev"}}<span class="sev {{.}}">{{word .}}</span>{{end}}
{{define "counts"}}<svg class="bar" viewBox="0 0 200 10" preserveAspectRatio="none" role="img" aria-label="{{.Fail}} fail, {{.Unknown}} unknown, {{.Excepted}} excepted, {{.Pass}} pass"><rect class="fail" x="0" y="0" width="{{.Width .Fail}}" height="10"/><rect class="unknown" x="{{.After .Fail}}" y="0" width="{{.Width .Unknown}}" height="10"/><rect class="excepted" x="{{.After .Fail .Unknown}}" y="0" width="{{.Width .Excepted}}" height="10"/><rect class="pass" x="{{.After .Fail .Unknown .Excepted}}" y="0" width="{{.Width .Pass}}" height="10"/></svg>{{end}}
{{define "lines"}}<table><thead><tr><th>Of</th><th>Result</th><th class="num">Fail</th><th class="num">Unknown</th><th class="num">Excepted</th><th class="num">Pass</th></tr></thead><tbody>{{range .}}<tr><td>{{word .Name}}</td><td>{{template "counts" .}}</td><td class="num">{{.Fail}}<span class="only"> fail</span></td><td class="num">{{.Unknown}}<span class="only"> unknown</span></td><td class="num">{{.Excepted}}<span class="only"> excepted</span></td><td class="num">{{.Pass}}<span class="only"> pass</span></td></tr>{{end}}</tbody></table>{{end}}
{{define "findings"}}<table><thead><tr><th>Severity</th><th>Finding</th><th>Who</th><th class="num">First seen</th></tr></thead><tbody>{{range .}}<tr><td>{{template "sev" .Severity}}</td><td>{{seen .Title}}<span class="under">{{seen .Why}}</span></td><td>{{seen .Who}}</td><td class="num">{{day .FirstSeen}}</td></tr>{{end}}</tbody></table>{{end}}
{{define "stories"}}<table><thead><tr><th>Severity</th><th>Story</th><th>Who</th><th class="num">Score</th><th class="num">Last</th></tr></thead><tbody>{{range .}}<tr><td>{{template "sev" .Severity}}</td><td>{{seen .Title}}<span class="under">{{seen .Why}}</span></td><td>{{seen .Who}}</td><td class="num">{{.Score}}</td><td class="num">{{at .Ended}}</td></tr>{{end}}</tbody></table>{{end}}
`

const reportTenant = `
{{define "tenant"}}{{template "head" .Head}}<main>
<ul class="figures"><li><b>{{.Overview.Open.All}}</b>open findings</li><li><b>{{.Overview.Open.Critical}}</b>of them critical</li><li><b>{{.Stories.Total}}{{if .Stories.TotalIsMore}}+{{end}}</b>open stories</li><li><b>{{.Risky.Total}}{{if .Risky.TotalIsMore}}+{{end}}</b>people at risk</li><li><b>{{len .Fails}}</b>checks that fail</li></ul>
<h2>How the tenant is set</h2>
<p class="key">Of each the checks that <svg viewBox="0 0 1 1"><rect class="fail" width="1" height="1"/></svg>fail <svg viewBox="0 0 1 1"><rect class="unknown" width="1" height="1"/></svg>are unknown <svg viewBox="0 0 1 1"><rect class="excepted" width="1" height="1"/></svg>are excepted <svg viewBox="0 0 1 1"><rect class="pass" width="1" height="1"/></svg>pass</p>
<h3>By benchmark</h3>{{template "lines" .Frameworks}}
<h3>By area</h3>{{template "lines" .Areas}}
<h3>From day to day</h3>{{if gt (len .Days) 1}}<svg viewBox="0 0 700 90" role="img" aria-label="Checks that failed, were unknown, excepted and passed, day by day">{{range .Bars}}<rect class="{{.Class}}" x="{{.X}}" y="{{.Y}}" width="{{.W}}" height="{{.H}}"><title>{{.Title}}</title></rect>{{end}}</svg><p class="axis"><span>{{(index .Days 0).Day}}</span><span>{{(index .Days (minus (len .Days) 1)).Day}}</span></p>{{else}}<p class="soft">The tenant was judged on one day only: there is no course yet.</p>{{end}}
<h2>Checks that fail</h2>{{if .Fails}}<table><thead><tr><th>Severity</th><th>Check</th><th>How to mend it</th></tr></thead><tbody>{{range .Fails}}<tr><td>{{template "sev" .Severity}}</td><td>{{.Title}}<span class="under">{{seen .Why}}</span>{{if .Found}}<span class="under">{{range $i, $o := first .Found}}{{if $i}}; {{end}}{{seen $o.Name}}{{with $o.Why}} ({{seen .}}){{end}}{{end}}{{if gt .FoundCount 5}}; and {{minus .FoundCount 5}} more{{end}}</span>{{end}}<span class="under">{{ids .Frameworks}}</span></td><td>{{.Mend}}</td></tr>{{end}}</tbody></table>{{else}}<p>None of those that could be judged.</p>{{end}}
{{if .Excepted}}<h3>Excepted</h3><table><thead><tr><th>Check</th><th>By</th><th class="num">Until</th></tr></thead><tbody>{{range .Excepted}}<tr><td>{{.Title}}<span class="under">{{seen .Why}}</span></td><td>{{seen .Owner}}</td><td class="num">{{day .Expires}}</td></tr>{{end}}</tbody></table>{{end}}
<h2>Stories</h2>{{if .Stories.Items}}{{template "stories" .Stories.Items}}{{if .Stories.Next}}<p class="soft">The worst {{len .Stories.Items}} of {{.Stories.Total}}{{if .Stories.TotalIsMore}} or more{{end}}.</p>{{end}}{{else}}<p>None is open.</p>{{end}}
<h2>Open findings</h2>{{if .Findings.Items}}{{template "findings" .Findings.Items}}{{if .Findings.Next}}<p class="soft">The worst {{len .Findings.Items}} of {{.Findings.Total}}{{if .Findings.TotalIsMore}} or more{{end}}.</p>{{end}}{{else}}<p>None is open.</p>{{end}}
<h2>People at risk</h2>{{if .Risky.Items}}<table><thead><tr><th class="num">Risk</th><th>Who</th><th>Roles</th><th>Second factor</th><th class="num">Open findings</th></tr></thead><tbody>{{range .Risky.Items}}<tr><td class="num">{{.Risk}}</td><td>{{seen .Name}}<span class="under">{{seen .UPN}}</span></td><td>{{list .Roles}}</td><td>{{knows .MFA "registered" "none"}}</td><td class="num">{{.Open.All}}</td></tr>{{end}}</tbody></table>{{if .Risky.Next}}<p class="soft">The {{len .Risky.Items}} most at risk of {{.Risky.Total}}{{if .Risky.TotalIsMore}} or more{{end}}.</p>{{end}}{{else}}<p>Nobody that is known.</p>{{end}}
<h2>How far it was looked</h2>
<dl><dt>People</dt><dd>{{.Overview.Coverage.People}}</dd><dt>Mailboxes read</dt><dd>{{.Overview.Coverage.Read}}{{if .Overview.Coverage.NotRead}}, of {{.Overview.Coverage.NotRead}} people the mailbox is not{{end}}</dd><dt>Connections</dt><dd>{{.Overview.Coverage.Connections}}</dd>{{with .Overview.Coverage.NewestRead}}<dt>Newest reading</dt><dd>{{at .}}</dd>{{end}}</dl>
{{if or .Overview.Coverage.Incomplete .Unknown .Held}}<h3>What is not known</h3>{{range .Overview.Coverage.Incomplete}}<p class="lack">{{seen .}}</p>{{end}}{{range .Held}}<p class="lack"><strong>{{word .What}}.</strong> {{seen .Because}} {{seen .Mend}}</p>{{end}}{{range .Unknown}}<div class="lack"><p>{{seen .Why}}</p><p class="under">{{len .Checks}} {{if eq (len .Checks) 1}}check is{{else}}checks are{{end}} unknown for it: {{list .Checks}}</p></div>{{end}}{{else}}<p>All that is asked for is read.</p>{{end}}
</main>{{template "foot"}}{{end}}`

const reportPerson = `
{{define "person"}}{{template "head" .Head}}<main>
<ul class="figures"><li><b>{{.P.Risk}}</b>risk, of 100</li><li><b>{{len .Open}}</b>open findings</li><li><b>{{len .P.Stories}}</b>stories</li><li><b>{{if .P.Holdings}}{{len .P.Holdings}}{{else}}{{len .P.Directory}}{{end}}</b>roles held or eligible</li></ul>
<h2>Profile</h2><dl>
<dt>Signs in as</dt><dd>{{seen .P.UPN}}</dd><dt>Mail</dt><dd>{{if .P.Mail}}{{seen .P.Mail}}{{else}}none{{end}}</dd><dt>Job</dt><dd>{{if .P.Title}}{{seen .P.Title}}{{else}}not told{{end}}{{with .P.Department}}, {{seen .}}{{end}}</dd>
<dt>Manager</dt><dd>{{with .P.Manager}}{{seen .Name}}{{else}}none told{{end}}</dd><dt>Kind</dt><dd>{{word .P.Kind}}</dd><dt>Account</dt><dd>{{knows .P.Enabled "enabled" "blocked"}}{{if not .P.Deleted.IsZero}}, deleted {{day .P.Deleted}}{{end}}</dd><dt>Lives in</dt><dd>{{knows .P.Synced "an on-premises directory, synced" "the cloud"}}</dd>
<dt>Created</dt><dd>{{day .P.Created}}</dd><dt>Last sign-in</dt><dd>{{at .P.LastSignIn}}</dd><dt>Second factor</dt><dd>{{knows .P.MFA "registered" "none"}}{{if .P.Methods}}: {{list .P.Methods}}{{end}}</dd><dt>Identity Protection</dt><dd>{{with .P.Protection}}{{word .State}}, {{.Level}}{{else}}nothing told{{end}}</dd><dt>Mailbox</dt><dd>{{word .P.Mailbox}}{{with .P.Because}}: {{seen .}}{{end}}</dd>
{{with .P.Guest}}<dt>Guest of</dt><dd>{{seen .Home}}, invitation {{if .State}}{{.State}}{{else}}not told{{end}}{{with .Invited}}, invited by {{seen .By}} on {{day .At}}{{end}}</dd><dt>A second factor is asked</dt><dd>{{.Demand.Factor}}: {{seen .Demand.Why}}</dd>{{end}}
{{if .P.Groups}}<dt>Groups</dt><dd>{{range $i, $g := .P.Groups}}{{if $i}}, {{end}}{{seen $g.Name}}{{end}}</dd>{{end}}</dl>
<h2>Risk</h2>{{if .P.RiskOf.Terms}}<table><thead><tr><th class="num">Points</th><th>Why</th></tr></thead><tbody>{{range .P.RiskOf.Terms}}<tr><td class="num">{{.Points}}</td><td>{{seen .Why}}</td></tr>{{end}}</tbody></table><p class="soft">Together {{.P.Risk}} of 100, as reckoned {{at .P.RiskOf.Judged}}.</p>{{else}}<p>Nothing weighs that is known.</p>{{end}}
{{if .P.RiskOf.History}}<h3>How it went</h3><table><thead><tr><th>When</th><th class="num">Risk</th><th>Why</th></tr></thead><tbody>{{range .P.RiskOf.History}}<tr><td class="nowrap">{{at .At}}</td><td class="num">{{.Risk}}</td><td>{{seen .Why}}</td></tr>{{end}}</tbody></table>{{end}}
<h2>Stories</h2>{{if .P.Stories}}{{template "stories" .P.Stories}}{{else}}<p>None.</p>{{end}}
<h2>Open findings</h2>{{with .Open}}{{template "findings" .}}{{else}}<p>None.</p>{{end}}
{{if .P.Holdings}}<h2>Roles</h2><table><thead><tr><th>Role</th><th>How</th><th>Until</th></tr></thead><tbody>{{range .P.Holdings}}<tr><td>{{seen .Role}}</td><td>{{word .How}}{{with .Group}}, by the group {{seen .}}{{end}}</td><td>{{if .Ends.IsZero}}no end{{else}}{{day .Ends}}{{end}}</td></tr>{{end}}</tbody></table>{{else if .P.Directory}}<h2>Roles</h2><ul>{{range .P.Directory}}<li>{{seen .Name}}</li>{{end}}</ul>{{end}}
{{if .P.Devices}}<h2>Devices</h2><table><thead><tr><th>Device</th><th>System</th><th>Compliance</th><th>Encrypted</th></tr></thead><tbody>{{range .P.Devices}}<tr><td>{{seen .Name}}</td><td>{{seen .System}} {{seen .Version}}{{if .OutOfDate}}, out of date{{end}}</td><td>{{word .Compliance}}</td><td>{{knows .Encrypted "yes" "no"}}</td></tr>{{end}}</tbody></table>{{end}}
<h2>What happened</h2>{{if .Timeline.Items}}<table><thead><tr><th>When</th><th>What</th></tr></thead><tbody>{{range .Timeline.Items}}<tr><td class="nowrap">{{at .At}}<span class="under">{{word .Kind}}</span></td><td>{{seen .What}}{{with .Because}}<span class="under">{{seen .}}</span>{{end}}</td></tr>{{end}}</tbody></table>{{if not .Timeline.Next.IsZero}}<p class="soft">The newest {{len .Timeline.Items}}; there is more before.</p>{{end}}{{else}}<p>Nothing that is known.</p>{{end}}
<h2>What was done</h2>{{if .P.Done}}<table><thead><tr><th>When</th><th>Act</th><th>State</th><th>By</th><th>Why</th></tr></thead><tbody>{{range .P.Done}}<tr><td class="nowrap">{{at .Created}}</td><td>{{word .Kind}}{{with .Name}}<span class="under">{{seen .}}</span>{{end}}</td><td>{{word .State}}{{with .Because}}<span class="under">{{seen .}}</span>{{end}}</td><td>{{seen .AskedBy}}{{with .ApprovedBy}}<span class="under">approved by {{seen .}}</span>{{end}}</td><td>{{seen .Why}}</td></tr>{{end}}</tbody></table>{{else}}<p>Nothing from here.</p>{{end}}
</main>{{template "foot"}}{{end}}`
