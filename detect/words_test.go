package detect

import "testing"

func TestMoney(t *testing.T) {
	for _, s := range []string{
		"invoice", "INVOICES", "Invoice #4711", "your payment", "wire transfer", "in\u200bvo\x00ice", "іnvoice", "invoic", "W-2", "IBAN:", "bank details",
		"Rechnung", "Rechnungsnummer", "Überweisung", "UEBERWEISUNG", "Gehaltsabrechnung", "facture", "virement bancaire", "relevé bancaire", "releve bancaire",
		"factura", "nómina", "fattura", "bonifico", "fatura", "boleto", "factuur", "betaling", "faktura", "płatność", "przelew", "platba", "výplata", "lön", "løn" + "seddel",
		"lønnsslipp", "lasku", "palkka", "ödeme", "maaş", "оплата", "банковские", "счёт на оплату", "счет на оплату", "рахунок-фактура", "請求書の件", "お支払い", "发票", "發票通知", "付款",
		"송장", "급여명세서", "فاتورة", "الفاتورة", "الرواتب", "חשבונית", "πληρωμή", "hóa đơn", "ใบแจ้งหนี้",
	} {
		if _, ok := Money.Find(s); !ok {
			t.Errorf("%q: not found", s)
		}
	}
	for _, s := range []string{
		"", "in", "voice", "lunch", "newsletter", "bankruptcy law digest", "embankment", "repayable joy", "transformer", "Paymaster General", "Rechner", "factory", "ordinary", "[JIRA]",
		"会議", "회의", "встреча", "wired magazine", "lone ranger", "Maastricht",
	} {
		if w, ok := Money.Find(s); ok {
			t.Errorf("%q: found %q", s, w)
		}
	}
}

func TestNotices(t *testing.T) {
	for _, s := range []string{
		"phish", "Phishing", "hacked", "have you been hacked?", "Suspicious activity", "unusual sign-in activity", "password reset", "did you send this",
		"gehackt", "Verdächtige", "Sicherheitswarnung", "piraté", "hameçonnage", "alerte de sécurité", "sospechoso", "estafa", "sospetto", "truffa", "suspeito", "verdacht", "podejrzane", "podezřelá",
		"misstänkt", "mistænkelig", "mistenkelig", "epäilyttävä", "şüpheli", "взлом", "подозрительная", "підозріла", "不審なメール", "不正アクセス", "可疑邮件", "釣魚郵件", "피싱 메일", "해킹", "تصيد", "مشبوه", "ύποπτο",
	} {
		if _, ok := Notices.Find(s); !ok {
			t.Errorf("%q: not found", s)
		}
	}
	for _, s := range []string{"hackathon", "shackle", "lunch", "fishing trip", "会议", "newsletter"} {
		if w, ok := Notices.Find(s); ok {
			t.Errorf("%q: found %q", s, w)
		}
	}
	for _, s := range []string{"helpdesk", "IT-Support", "Help Desk", "verification code"} {
		if _, ok := Helpers.Find(s); !ok {
			t.Errorf("helpers: %q: not found", s)
		}
	}
	for _, s := range []string{"Undeliverable:", "mailer-daemon", "Unzustellbar", "配信不能"} {
		if _, ok := Bounces.Find(s); !ok {
			t.Errorf("bounces: %q: not found", s)
		}
	}
}

func FuzzLexicon(f *testing.F) {
	f.Add("invoice")
	f.Add("請\x00求書")
	f.Add("ال")
	f.Add("\xff\xfeрахунок на оплату")
	f.Fuzz(func(t *testing.T, s string) {
		for _, l := range []*Lexicon{Money, Notices, Helpers, Bounces} {
			if w, ok := l.Find(s); ok && w == "" {
				t.Fatalf("%q: found nothing", s)
			}
		}
	})
}
