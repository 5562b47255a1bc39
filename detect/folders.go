package detect

import (
	"strings"

	"tocsin.dev"
)

// Remote is how far from a person's eyes a folder is.
type Remote int

// The distances. Far: nobody opens it. Near: people file there themselves, so only what is moved makes it odd.
const (
	Open Remote = iota
	Near
	Far
)

// FolderKind says which well-known folder f is, in Graph's lower-case names where Graph has one (rssfeeds, notes,
// calendar, contacts, tasks and journal are ours); empty for an ordinary one. The well-known name decides where it is
// known; else the folder's name, in many languages.
func FolderKind(f *tocsin.Folder) string {
	if f == nil {
		return ""
	}
	known := strings.ToLower(f.WellKnown)
	if known != "" && known != "none" {
		return known
	}
	name := Fold(strings.TrimSpace(lastPart(f.Name)))
	for _, w := range tokens(name) {
		if w == "rss" || strings.HasPrefix(w, "rssfeed") {
			return "rssfeeds"
		}
	}
	kind := folderNames[name]
	if known == "none" && graphKnows[kind] { // a folder of the person's own that bears the name
		return ""
	}
	return kind
}

// lastPart is a folder's own name where a source gives a path.
func lastPart(s string) string {
	if i := strings.LastIndexAny(s, `\/`); i >= 0 && i < len(s)-1 {
		s = s[i+1:]
	}
	return strings.TrimPrefix(s, ":")
}

// FolderRemote says how far from the eye f is, and what it is in words: "the RSS Feeds folder". An oddly named folder
// (".", or one nobody can read) is far.
func FolderRemote(f *tocsin.Folder) (Remote, string) {
	if f == nil {
		return Open, ""
	}
	kind := FolderKind(f)
	label := folderLabels[kind]
	if label != "" && f.Name != "" && Fold(f.Name) != Fold(label) {
		label += " (" + Quote(f.Name) + ")"
	}
	switch kind {
	case "contacts", "tasks", "notes", "journal":
		if f.WellKnown == "" || f.WellKnown == "none" { // by its name alone: people call folders of their own so
			return Near, "the " + label + " folder"
		}
		return Far, "the " + label + " folder"
	case "rssfeeds", "conversationhistory", "syncissues", "conflicts", "localfailures", "serverfailures", "outbox", "calendar",
		"recoverableitemsdeletions", "recoverableitemspurges", "scheduled", "searchfolders", "msgfolderroot":
		return Far, "the " + label + " folder"
	case "archive", "junkemail", "deleteditems", "drafts", "sentitems", "clutter":
		return Near, "the " + label + " folder"
	case "":
	default:
		return Open, "the folder " + Quote(kind)
	}
	if f.Name == "" {
		return Open, "a folder whose name is not known"
	}
	if points, why := OddName(f.Name); points >= 20 {
		return Far, "the folder " + Quote(f.Name) + ", whose name " + why
	}
	return Open, "the folder " + Quote(f.Name)
}

var folderLabels = map[string]string{
	"rssfeeds": "RSS Feeds", "conversationhistory": "Conversation History", "syncissues": "Sync Issues", "conflicts": "Conflicts",
	"localfailures": "Local Failures", "serverfailures": "Server Failures", "outbox": "Outbox", "calendar": "Calendar", "contacts": "Contacts",
	"tasks": "Tasks", "notes": "Notes", "journal": "Journal", "recoverableitemsdeletions": "Recoverable Items", "recoverableitemspurges": "Purged Items",
	"scheduled": "Scheduled", "searchfolders": "Search Folders", "msgfolderroot": "mailbox's top",
	"archive": "Archive", "junkemail": "Junk Email", "deleteditems": "Deleted Items", "drafts": "Drafts", "sentitems": "Sent Items", "clutter": "Clutter",
}

// graphKnows are the kinds that Graph finds by a well-known name, so that a folder known not to be one is none.
// See https://learn.microsoft.com/graph/api/resources/mailfolder.
var graphKnows = map[string]bool{
	"archive": true, "conversationhistory": true, "deleteditems": true, "drafts": true, "junkemail": true, "outbox": true, "sentitems": true, "syncissues": true,
}

// folderNames are the names that Outlook gives these folders, folded, by language.
var folderNames = func() map[string]string {
	m := map[string]string{}
	for kind, names := range map[string]string{
		"conversationhistory": "Conversation History · Aufgezeichnete Unterhaltungen · Verlauf der Unterhaltungen · Unterhaltungsverlauf · Historique des conversations · Historique de conversation · Historial de conversaciones · " +
			"Cronologia conversazioni · Histórico de Conversas · Histórico de conversação · Gespreksgeschiedenis · Historia konwersacji · Historie konverzací · História konverzácií · Konversationshistorik · Samtalehistorik · Samtalehistorikk · " +
			"Samtaleoversikt · Keskusteluhistoria · Konuşma Geçmişi · Журнал бесед · История бесед · Журнал розмов · Історія розмов · 会話の履歴 · 对话历史记录 · 交談記錄 · 對話記錄 · 대화 내용 · 대화 기록 · محفوظات المحادثات · سجل المحادثات · Beszélgetések előzményei · Istoricul conversațiilor",
		"archive": "Archive · Archives · Archiv · Archivieren · Archivo · Archivar · Archivio · Arquivo · Arquivo Morto · Arquivar · Archief · Archiwum · Archív · Arkiv · Arkisto · Arşiv · Архив · Архів · アーカイブ · 存档 · 归档 · 封存 · 보관 · 보관함 · أرشيف · Αρχειοθήκη · ארכיון",
		"junkemail": "Junk Email · Junk E-mail · Junk · Spam · Junk-E-Mail · Courrier indésirable · Correo no deseado · Posta indesiderata · Lixo Eletrónico · Lixo Eletrônico · Lixo Electrónico · Ongewenste e-mail · Wiadomości-śmieci · " +
			"Nevyžádaná pošta · Nevyžiadaná pošta · Skräppost · Uønsket mail · Uønsket e-post · Søppelpost · Roskaposti · Önemsiz E-posta · Gereksiz E-posta · Нежелательная почта · Небажана пошта · 迷惑メール · 垃圾邮件 · 垃圾郵件 · 정크 메일 · البريد الإلكتروني غير الهام · Levélszemét · Ανεπιθύμητη αλληλογραφία",
		"deleteditems": "Deleted Items · Deleted · Trash · Gelöschte Elemente · Gelöschte Objekte · Éléments supprimés · Elementos eliminados · Posta eliminata · Elementi eliminati · Itens Eliminados · Itens Excluídos · Verwijderde items · " +
			"Elementy usunięte · Odstraněná pošta · Odstránené položky · Borttagna objekt · Slettet post · Slettede elementer · Poistetut · Silinmiş Öğeler · Удаленные · Видалені · 削除済みアイテム · 已删除邮件 · 已删除项目 · 刪除的郵件 · 지운 편지함 · العناصر المحذوفة · Törölt elemek",
		"notes":      "Notes · Notizen · Notas · Note · Notities · Notatki · Poznámky · Anteckningar · Noter · Notater · Muistiinpanot · Muistilaput · Notlar · Заметки · Нотатки · メモ · 便笺 · 便箋 · 記事 · 메모 · الملاحظات · Feljegyzések",
		"syncissues": "Sync Issues · Synchronisierungsprobleme · Problèmes de synchronisation · Problemas de sincronización · Problemi di sincronizzazione · Problemas de Sincronização · Synchronisatieproblemen · Problemy z synchronizacją · Problémy se synchronizací · Synkroniseringsproblem · Synkroniseringsproblemer · Synkronointiongelmat · Eşitleme Sorunları · Проблемы синхронизации · Проблеми синхронізації · 同期の失敗 · 同步问题 · 同步處理問題 · 동기화 문제 · مشاكل المزامنة",
		"outbox":     "Outbox · Postausgang · Boîte d'envoi · Bandeja de salida · Posta in uscita · A Enviar · Caixa de Saída · Postvak UIT · Skrzynka nadawcza · Pošta k odeslání · Utkorgen · Udbakke · Utboks · Lähtevät · Giden Kutusu · Исходящие · Вихідні · 送信トレイ · 发件箱 · 寄件匣 · 보낼 편지함 · علبة الصادر",
		"calendar":   "Calendar · Kalender · Calendrier · Calendario · Calendário · Kalendarz · Kalendář · Kalendár · Kalenteri · Takvim · Календарь · Календар · 予定表 · 日历 · 行事曆 · 일정 · التقويم · Naptár",
		"contacts":   "Contacts · Kontakte · Contactos · Contatti · Contatos · Contactpersonen · Kontakty · Kontakter · Kontaktpersoner · Yhteystiedot · Kişiler · Контакты · Контакти · 連絡先 · 联系人 · 連絡人 · 연락처 · جهات الاتصال",
		"tasks":      "Tasks · Aufgaben · Tâches · Tareas · Attività · Tarefas · Taken · Zadania · Úkoly · Úlohy · Uppgifter · Opgaver · Oppgaver · Tehtävät · Görevler · Задачи · Завдання · タスク · 任务 · 工作 · 작업 · المهام",
		"journal":    "Journal · Diario · Diário · Logboek · Dziennik · Deník · Päiväkirja · Günlük · Дневник · Щоденник · 履歴 · 日记 · 日誌 · 업무 일지",
		"drafts":     "Drafts · Entwürfe · Brouillons · Borradores · Bozze · Rascunhos · Concepten · Wersje robocze · Koncepty · Utkast · Kladder · Luonnokset · Taslaklar · Черновики · Чернетки · 下書き · 草稿 · 임시 보관함 · مسودات",
	} {
		for n := range strings.SplitSeq(names, "·") {
			m[Fold(strings.TrimSpace(n))] = kind
		}
	}
	return m
}()
