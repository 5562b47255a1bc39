package detect

// Money are words by which mail about invoices, payments, pay and bank accounts is known, by language. Words that
// ordinary mail is full of (order, account, statement) are left out, but for phrases.
var Money = lexicon(
	// English
	"invoice* · payment* · payroll* · remittance* · iban · swift · ach · wire · wires · wire transfer · bank · banking · bank account · bank details · "+
		"banking details · account number · routing number · direct deposit · salary · salaries · payslip* · paycheck* · overdue · past due · "+
		"purchase order · w2 · w 2 · w9 · w 9 · deposit* · refund* · reimbursement* · billing · accounts payable · accounts receivable · fund transfer · funds · paid · pay · money",
	// German
	"rechnung* · zahlung* · überweis* · ueberweis* · lohn · löhne · gehalt* · lohnabrechnung* · kontonummer* · bankverbindung* · kontoverbindung* · bankdaten · kontodaten · mahnung* · "+
		"zahlungserinnerung* · gutschrift* · lastschrift* · sepa",
	// French
	"facture* · facturation · paiement* · payement* · virement* · salaire* · paie · fiche de paie · bulletin de paie · rib · coordonnées bancaires · relevé bancaire · banque · remboursement* · avoir client · impayé*",
	// Spanish
	"factura* · pago · pagos · nómina* · transferencia* · banco · bancaria · cuenta bancaria · datos bancarios · cobro · cobros · sueldo* · salario* · remesa* · vencida · reembolso*",
	// Italian
	"fattura* · fatture · pagamento · pagamenti · bonifico · bonifici · stipendio · stipendi · busta paga · coordinate bancarie · conto bancario · banca · sollecito di pagamento · rimborso · rimborsi",
	// Portuguese
	"fatura* · pagamento* · transferência* · transferencia* · salário* · boleto* · dados bancários · conta bancária · nota fiscal · recibo* · reembolso*",
	// Dutch
	"factuur · facturen · factuurnummer* · betaling* · betalen · overboeking* · salaris* · loonstrook* · rekeningnummer* · bankrekening* · bankgegevens · aanmaning* · terugbetaling*",
	// Polish
	"faktur* · płatnoś* · platnos* · przelew* · wynagrodzen* · wypłat* · numer konta · rachunek bankowy · konto bankowe · wezwanie do zapłaty · zwrot środków",
	// Czech and Slovak
	"faktur* · faktúr* · platb* · úhrad* · výplat* · mzda · mzdy · bankovní účet · bankový účet · číslo účtu · převod · prevod · upomínk*",
	// Swedish, Danish, Norwegian
	"betalning* · lön · lönen · löneutbetalning* · lönespecifikation* · bankkonto* · banköverföring* · överföring* · kontonummer · betalningspåminnelse* · bankgiro* · plusgiro*",
	"betaling* · lønseddel* · lønudbetaling* · bankoverførsel* · overførsel* · kontooplysninger · rykker · "+
		"faktura* · lønn · lønnsslipp* · lønnsutbetaling* · bankoverføring* · overføring* · betalingspåminnelse* · purring*",
	// Finnish
	"lasku · laskut · laskun · laskua · laskutus* · maksu · maksut · maksun · palkka · palkan · palkkalaskelma* · tilisiirto* · pankkitili* · tilinumero* · maksumuistutus*",
	// Turkish
	"fatura* · ödeme* · havale* · maaş · maaşı · bordro* · banka · banka hesabı · hesap numarası · dekont* · eft",
	// Russian, Ukrainian
	"счет на оплату · счёт на оплату · счет фактура* · оплат* · платеж* · платёж* · перевод средств · банковск* · реквизит* · зарплат* · задолженност* · инвойс*",
	"рахунок на оплату · рахунок фактура · рахунк* · платіж* · платеж* · банківськ* · реквізит* · зарплат* · заборгован* · інвойс*",
	// Hungarian, Romanian, Greek, Hebrew
	"számla · számlák · számlaszám* · fizetés* · átutalás* · bankszámla* · bérjegyzék*",
	"factură · facturi · facturii · plată · plăți · plati · salariu* · transfer bancar · cont bancar · virament*",
	"τιμολόγι* · πληρωμ* · μισθ* · τραπεζικ* · έμβασμα*",
	"חשבונית* · תשלום · תשלומים · משכורת · העברה בנקאית · חשבון בנק",
	// Arabic
	"فاتورة · فواتير · دفع · دفعة · مدفوعات · تحويل بنكي · حوالة · راتب · رواتب · حساب بنكي · حساب مصرفي",
	// Japanese, Chinese (both scripts), Korean
	"請求書 · 支払 · お支払い · 振込 · 振り込み · 送金 · 給与 · 銀行口座 · 口座番号 · 見積書 · 領収書 · インボイス",
	"发票 · 發票 · 付款 · 汇款 · 匯款 · 转账 · 轉帳 · 轉賬 · 工资 · 薪資 · 薪水 · 银行账户 · 銀行帳戶 · 账单 · 帳單 · 收款",
	"송장 · 청구서 · 인보이스 · 결제 · 송금 · 이체 · 급여 · 계좌 · 입금 · 세금계산서",
	// Vietnamese, Indonesian, Thai
	"hóa đơn · thanh toán · chuyển khoản · tiền lương · faktur* · tagihan* · pembayaran* · transfer bank · gaji · ใบแจ้งหนี้ · การชำระเงิน · โอนเงิน · เงินเดือน",
)
