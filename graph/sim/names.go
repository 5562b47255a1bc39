package sim

import "strings"

// The names people of a world are made from. Families of names are mixed on purpose: an international forwarder.
var firstNames = strings.Fields(`Amelia Noah Olivia Liam Emma Oliver Charlotte Elijah Sophia Mateo Isabella Lucas Mia Levi
Ava Ezra Evelyn Asher Luna James Harper Ethan Camila Leo Sofía José Anaïs Søren Zoë Łukasz Björn Jürgen Renée Chloé
Müge İpek Øyvind Agnieszka Piotr Katarzyna Tomasz Ingrid Lars Astrid Mikael Aino Väinö Elina Yuki Haruto Aoi Ren
Sakura Wei Mei Jun Ling Xin Priya Arjun Ananya Rohan Kavya Vikram Fatima Omar Layla Yusuf Zainab Tariq Amara Kwame
Nia Chidi Zola Thabo Lerato Sipho Ines Tiago Beatriz Duarte Giulia Matteo Chiara Lorenzo Elena Dimitri Katya Ivan
Olga Bohdan Oksana Hana Jakub Tereza Marek Zsófia Gábor Ilinca Radu Maeve Cormac Siobhan Declan Rhys Carys Ewan
Isla Finlay Greta Anton Frieda Emil Lotte Bram Sanne Daan Femke Joris Marit`)

var lastNames = strings.Fields(`Smith Johnson Okafor Brown Garcia Miller Davis Martínez Hernández López Wilson Anderson
Thomas Taylor Moore Jackson Martin Lee Pérez Thompson White Harris Sánchez Clark Ramírez Lewis Robinson Walker Young
Allen King Wright Scott Torres Nguyen Hill Flores Green Adams Nelson Baker Hall Rivera Campbell Mitchell Carter
Roberts Müller Schmidt Schneider Fischer Weber Wagner Becker Schulz Hoffmann Koch Bauer Richter Klein Wolf Schröder
Neumann Schwarz Zimmermann Krüger Dubois Moreau Laurent Lefebvre Roux Fournier Girard Bonnet Rossi Ferrari Esposito
Bianchi Romano Colombo Ricci Marino Greco Silva Santos Ferreira Pereira Oliveira Costa Almeida Kowalski Nowak
Wiśniewski Wójcik Kamiński Lewandowski Zieliński Novák Svoboda Dvořák Horváth Tóth Szabó Popescu Ionescu Jansen
DeVries Bakker Visser Smit Mulder Bos Vos Peeters Janssens Maes Hansen Johansen Olsen Larsen Andersen Pedersen
Nielsen Jensen Sørensen Lindqvist Bergström Nyström Korhonen Virtanen Mäkinen Nieminen Tanaka Suzuki Takahashi Watanabe
Ito Yamamoto Nakamura Kobayashi Wang Li Zhang Liu Chen Yang Huang Zhao Wu Zhou Patel Sharma Singh Kumar Gupta Mehta
Iyer Reddy Khan Ahmed Hussain Rahman Mensah Boateng Adeyemi Eze Mbeki Dlamini Nkosi Abebe Tesfaye Haddad Nasser
Aydın Yılmaz Demir Shevchenko Kovalenko Petrov Ivanova Volkov Papadopoulos Murphy Kelly Byrne Ryan Walsh MacLeod`)

// department is where people work; its head is the person of the same number plus one.
type department struct {
	name   string
	titles []string
}

var departments = []department{
	{"IT", []string{"Head of IT", "Systems Engineer", "Service Desk Analyst", "Security Engineer", "Developer"}},
	{"Finance", []string{"Chief Financial Officer", "Accountant", "Payables Clerk", "Controller", "Treasury Analyst"}},
	{"Human Resources", []string{"Head of People", "HR Partner", "Recruiter", "Payroll Specialist"}},
	{"Sales", []string{"Head of Sales", "Account Manager", "Key Account Manager", "Tender Analyst"}},
	{"Operations", []string{"Chief Operating Officer", "Dispatcher", "Route Planner", "Customs Agent", "Shift Lead"}},
	{"Warehouse", []string{"Head of Warehousing", "Warehouse Clerk", "Forklift Operator", "Stock Controller"}},
	{"Legal", []string{"General Counsel", "Counsel", "Contract Manager", "Claims Handler"}},
	{"Marketing", []string{"Head of Marketing", "Campaign Manager", "Designer", "Editor"}},
}

// place is an office with the language and time zone of its mailboxes (Windows' name for the zone).
type place struct {
	city, country, letters, office string
	locale, language, zone         string
}

var places = []place{
	{"Rotterdam", "Netherlands", "NL", "Waalhaven 12", "en-US", "English (United States)", "W. Europe Standard Time"},
	{"Chicago", "United States", "US", "Wacker 400", "en-US", "English (United States)", "Central Standard Time"},
	{"Hamburg", "Germany", "DE", "Speicherstadt 7", "de-DE", "German (Germany)", "W. Europe Standard Time"},
	{"Leeds", "United Kingdom", "GB", "Wharf 3", "en-GB", "English (United Kingdom)", "GMT Standard Time"},
	{"Lyon", "France", "FR", "Confluence 21", "fr-FR", "French (France)", "Romance Standard Time"},
	{"Singapore", "Singapore", "SG", "Tuas 88", "en-SG", "English (Singapore)", "Singapore Standard Time"},
	{"Valencia", "Spain", "ES", "Grao 5", "es-ES", "Spanish (Spain)", "Romance Standard Time"},
	{"Pune", "India", "IN", "Hinjawadi 2", "en-IN", "English (India)", "India Standard Time"},
}

// teams are what shared mailboxes are called.
var teams = []string{"Invoices", "Info", "Dispatch", "Claims", "Customs", "Bookings", "Careers", "Suppliers", "Tenders"}

// outsiders are the domains guests and correspondents come from.
var outsiders = []string{"contoso.com", "northwindtraders.com", "tailspintoys.com", "wideworldimporters.com", "proseware.com"}

var plain = strings.NewReplacer("í", "i", "é", "e", "ï", "i", "ø", "o", "Ø", "O", "ë", "e", "Ł", "L", "ł", "l", "ö", "o",
	"ü", "u", "İ", "I", "ä", "a", "ó", "o", "á", "a", "ś", "s", "ń", "n", "ř", "r", "ı", "i")

// local is a name as it stands in an address: lower case, ASCII.
func local(name string) string {
	return strings.ReplaceAll(strings.ToLower(plain.Replace(name)), " ", "-")
}
