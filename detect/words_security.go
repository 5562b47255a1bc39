package detect

// Notices are words by which a person learns that somebody else is in the mailbox: warnings of the service, of the
// help desk, of those who were written to.
var Notices = lexicon(
	// English
	"phish* · do not open · don't open · do not click · don't click · hijacked · hacked · hack · hacker · hackers · hacking · compromised · suspicious · suspicious activity · unusual sign in · unusual signin · unusual activity · "+
		"unauthorized · unauthorised · security alert · security notice · security warning · account security · fraud* · scam* · "+
		"did you send · is this legit · is this real · is this you · not you · password reset · reset your password · password changed · new sign in · sign in attempt · malicious · spoof* · breach · identity theft",
	// German
	"gehackt* · hackerangriff* · kompromittiert* · verdächtig* · sicherheitswarnung* · sicherheitshinweis* · sicherheitsmeldung* · ungewöhnliche anmeldung · ungewöhnliche aktivität* · "+
		"betrug* · betrügerisch* · kennwort zurücksetzen · passwort zurücksetzen · kennwort geändert · passwort geändert",
	// French
	"piraté* · piratage* · hameçonnage* · suspect · suspecte · suspects · suspectes · compromis · alerte de sécurité · connexion inhabituelle · activité inhabituelle · fraude* · frauduleux · arnaque* · réinitialisation du mot de passe · réinitialiser votre mot de passe",
	// Spanish
	"hackeado* · hackeada* · pirateado* · sospechos* · comprometid* · alerta de seguridad · inicio de sesión inusual · actividad inusual · fraude* · estafa* · restablecer la contraseña · restablecimiento de contraseña · suplantación",
	// Italian
	"hackerato* · hackerata* · compromess* · sospett* · avviso di sicurezza · accesso insolito · attività insolita · frode · frodi · truffa* · reimpostare la password · reimpostazione della password",
	// Portuguese
	"hackead* · invadid* · suspeit* · comprometid* · alerta de segurança · atividade incomum · golpe · redefinir a senha · redefinição de senha · atividade suspeita",
	// Dutch
	"gehackt · gecompromitteerd · verdacht* · beveiligingswaarschuwing* · beveiligingsmelding* · ongebruikelijke aanmelding · ongebruikelijke activiteit · fraude · oplichting* · wachtwoord opnieuw instellen",
	// Polish
	"zhakowan* · właman* · podejrzan* · oszust* · alert bezpieczeństwa · nietypowe logowanie · resetowanie hasła · reset hasła",
	// Czech and Slovak
	"napaden* · podezřel* · podozriv* · podvod* · výstraha zabezpečení · bezpečnostní upozornění · neobvyklé přihlášení · obnovení hesla",
	// Swedish, Danish, Norwegian
	"hackad* · misstänkt* · säkerhetsvarning* · säkerhetsmeddelande* · bedrägeri* · nätfiske* · ovanlig inloggning · återställ lösenord · återställning av lösenord",
	"hacket · mistænkelig* · mistenkelig* · sikkerhedsadvarsel* · sikkerhetsvarsel* · sikkerhedsmeddelelse* · svindel* · bedrageri* · usædvanlig aktivitet · uvanlig aktivitet · nulstil adgangskode · tilbakestill passord",
	// Finnish
	"hakkeroi* · epäilyttäv* · tietojenkalastelu* · huijau* · huijaus · turvallisuusilmoitus* · suojausilmoitus* · epätavallinen kirjautuminen · salasanan palautus",
	// Turkish
	"hacklendi · hacklenmiş · şüpheli* · dolandırıcı* · güvenlik uyarısı · olağan dışı oturum · olağandışı etkinlik · şifre sıfırlama · parola sıfırlama · oltalama*",
	// Russian, Ukrainian
	"взлом* · фишинг* · подозрительн* · мошенни* · скомпрометирован* · предупреждение безопасности · оповещение системы безопасности · необычный вход · сброс пароля",
	"злам* · фішинг* · підозріл* · шахра* · скомпрометован* · сповіщення системи безпеки · незвичний вхід · скидання пароля",
	// Hungarian, Romanian, Greek, Hebrew
	"feltört* · feltörés* · gyanús* · csalás* · adathalász* · biztonsági figyelmeztetés · suspect* · compromis* · fraudă · fraude · alertă de securitate · resetare parolă",
	"χάκερ* · ύποπτ* · απάτη* · παραβίασ* · ειδοποίηση ασφαλείας · פריצה · נפרץ · חשוד* · הונאה · דיוג · התראת אבטחה",
	// Arabic
	"اختراق · مخترق · تصيد · مشبوه · مشبوهة · احتيال · تنبيه أمني · تنبيه الأمان · نشاط غير معتاد · إعادة تعيين كلمة المرور",
	// Japanese, Chinese, Korean
	"不審 · 乗っ取り · 不正アクセス · フィッシング · セキュリティ警告 · セキュリティ通知 · なりすまし · 詐欺 · パスワードのリセット · 異常なサインイン",
	"钓鱼 · 釣魚 · 黑客 · 駭客 · 被盗 · 被盜 · 可疑 · 欺诈 · 詐騙 · 诈骗 · 安全警报 · 安全警告 · 安全通知 · 异常登录 · 異常登入 · 重置密码 · 重設密碼",
	"피싱 · 해킹 · 의심스러운 · 보안 경고 · 보안 알림 · 사기 · 비정상적인 로그인 · 비밀번호 재설정 · 암호 재설정",
	// Vietnamese, Indonesian, Thai
	"lừa đảo · đáng ngờ · bị hack · cảnh báo bảo mật · diretas · mencurigakan · penipuan · peringatan keamanan · ฟิชชิ่ง · แฮก · น่าสงสัย · หลอกลวง · แจ้งเตือนความปลอดภัย",
)

// Helpers are words of those who would warn, and of routine security mail: weaker signs, for many people file such mail.
var Helpers = lexicon(
	"helpdesk · help desk · service desk · servicedesk · it support · it department · support ticket · spam · virus · malware · ransomware · mfa · 2fa · two factor · multi factor · verification code · security code · "+
		"security team · security · cyber* · docusign · quarantine* · suspended · password",
	"it abteilung · kennwort* · passwort* · sicherheit · sicherheitsteam · sicherheitscode · bestätigungscode · mot de passe · sécurité · code de vérification · contraseña* · seguridad · código de verificación · sicurezza · codice di verifica · senha · segurança · código de verificação",
	"wachtwoord* · beveiliging · hasło · hasła · bezpieczeńst* · heslo · bezpečnost* · lösenord* · säkerhet · adgangskode* · passord* · sikkerhed · sikkerhet · salasana* · tietoturva* · şifre* · parola* · güvenlik · пароль · безопасност* · безпек*",
	"パスワード · セキュリティ · ウイルス · 密码 · 密碼 · 病毒 · 安全 · 비밀번호 · 보안 · 바이러스 · كلمة المرور · أمان",
)

// Bounces are words of mail that was not delivered: how a person learns that mail went out in their name.
var Bounces = lexicon(
	"undeliver* · mailer daemon · mailerdaemon · postmaster · delivery failure · delivery failed · delivery status notification · delivery has failed · returned mail · failure notice · non delivery",
	"unzustellbar* · nicht zustellbar · zustellungsfehler* · unzustellbarkeits* · non remis · échec de remise · échec de la remise · non remise · no entregado · no se puede entregar · error de entrega · mancata consegna · non recapitabile · não entregue · falha na entrega · onbestelbaar · niet bezorgd · niedostarczon* · nedoručiteln* · nedoručen*",
	"kan inte levereras · ej levererat · kan ikke leveres · uleveret · toimittamaton · teslim edilemedi · не доставлено · недоставлен* · 配信不能 · 配信できません · 无法送达 · 未送达 · 無法傳遞 · 배달되지 않음 · 전송 실패 · تعذر التسليم",
)
