#include "serve/randomuser/nations.h"

#include <utility>

namespace millrace::serve::randomuser {
namespace {

constexpr std::pair<std::string_view, std::string_view> kFolds[] = {
    {"á", "a"},  {"à", "a"},  {"â", "a"},  {"ã", "a"},    {"ä", "ae"}, {"å", "a"},  {"æ", "ae"}, {"ç", "c"}, {"é", "e"},
    {"è", "e"},  {"ê", "e"},  {"ë", "e"},  {"í", "i"},    {"ï", "i"},  {"î", "i"},  {"ñ", "n"},  {"ó", "o"}, {"ô", "o"},
    {"õ", "o"},  {"ö", "oe"}, {"ø", "o"},  {"ú", "u"},    {"ü", "ue"}, {"û", "u"},  {"ß", "ss"}, {"ğ", "g"}, {"ı", "i"},
    {"ş", "s"},  {"Á", "a"},  {"É", "e"},  {"Ö", "oe"},   {"Ø", "o"},  {"Ü", "ue"}, {"Å", "a"},  {"Ç", "c"}, {"Ş", "s"},
    {"İ", "i"},  {"Ú", "u"},  {"а", "a"},  {"б", "b"},    {"в", "v"},  {"г", "h"},  {"д", "d"},  {"е", "e"}, {"є", "ie"},
    {"ж", "zh"}, {"з", "z"},  {"и", "y"},  {"і", "i"},    {"ї", "i"},  {"й", "i"},  {"к", "k"},  {"л", "l"}, {"м", "m"},
    {"н", "n"},  {"о", "o"},  {"п", "p"},  {"р", "r"},    {"с", "s"},  {"т", "t"},  {"у", "u"},  {"ф", "f"}, {"х", "kh"},
    {"ц", "ts"}, {"ч", "ch"}, {"ш", "sh"}, {"щ", "shch"}, {"ю", "iu"}, {"я", "ia"}, {"А", "a"},  {"Б", "b"}, {"В", "v"},
    {"Г", "h"},  {"Д", "d"},  {"І", "i"},  {"К", "k"},    {"Л", "l"},  {"М", "m"},  {"Н", "n"},  {"О", "o"}, {"П", "p"},
    {"Р", "r"},  {"С", "s"},  {"Т", "t"},  {"Ш", "sh"},   {"Ю", "iu"}, {"Я", "ya"}};

std::vector<std::string_view> split(std::string_view list, char separator = '|') {
  std::vector<std::string_view> out;
  while (true) {
    size_t end = list.find(separator);
    out.push_back(list.substr(0, end));
    if (end == std::string_view::npos) return out;
    list.remove_prefix(end + 1);
  }
}

std::vector<Name> names(std::string_view list) {
  std::vector<Name> out;
  for (std::string_view text : split(list)) out.push_back({text, fold_to_ascii(text)});
  return out;
}

/// "City/State|City/State"
std::vector<Place> places(std::string_view list) {
  std::vector<Place> out;
  for (std::string_view pair : split(list)) {
    auto parts = split(pair, '/');
    out.push_back({parts[0], parts[1]});
  }
  return out;
}

std::vector<Nation> make_nations() {
  std::vector<Nation> all;
  all.push_back({"AU", "Australia", names("Jack|Lachlan|Noah|Cooper|Riley|Hugh"), names("Chloe|Mia|Ruby|Isla|Matilda|Zoe"),
                 names("Nguyen|Walker|Kelly|O'Brien|Harris|Murray|Fraser"),
                 split("Bruce St|Station Road|Henry Street|Northaven Rd|Pecan Acres Ln"),
                 places("Hobart/Tasmania|Geelong/Victoria|Cairns/Queensland|Perth/"
                        "Western Australia|Wollongong/New South Wales"),
                 "9###", "0#-####-####", "04##-###-###", "TFN", "#########"});
  all.push_back({"BR", "Brazil", names("João|José|Antônio|Caio|Davi|Otávio"), names("Inês|Vitória|Luíza|Bárbara|Cecília|Rosa"),
                 names("Gonçalves|Araújo|da Conceição|Moraes|Simões|Ferreira|Viana"),
                 split("Rua São João|Avenida Brasil|Rua das Flores|Rua Bela Vista|Rua "
                       "Maranhão"),
                 places("São Paulo/São Paulo|Maceió/Alagoas|Belém/Pará|Uberlândia/Minas "
                        "Gerais|Florianópolis/Santa Catarina"),
                 "9####", "(##) ####-####", "(##) 9###-####", "CPF", "###.###.###-##"});
  all.push_back({"CA", "Canada", names("Liam|Étienne|Logan|Benjamin|Félix|Owen"), names("Maëlle|Emma|Chloé|Addison|Florence|Ava"),
                 names("Tremblay|Roy|Côté|Lavoie|Mackay|Singh|Ouellet"),
                 split("Dundas Rd|Rue Sainte-Catherine|King St|Lakeview Ave|Victoria Ave"),
                 places("Montréal/Québec|Vancouver/British Columbia|Halifax/Nova "
                        "Scotia|Winnipeg/Manitoba|Ottawa/Ontario"),
                 "?9? 9?9", "?##-?##-####", "?##-?##-####", "SIN", "#########"});
  all.push_back({"DE", "Germany", names("Jürgen|Björn|Lukas|Götz|Maximilian|Karl-Heinz"),
                 names("Käthe|Jördis|Anneliese|Mia|Zoë|Bärbel"), names("Müller|Schröder|Weiß|Köhler|Groß|Becker|von Rönne"),
                 split("Goethestraße|Am Bahnhof|Kirchgasse|Lindenweg|Fröbelstraße"),
                 places("Köln/Nordrhein-Westfalen|München/Bayern|Tübingen/"
                        "Baden-Württemberg|Lübeck/Schleswig-Holstein|Halle/Sachsen-Anhalt"),
                 "9####", "0###-#######", "017#-#######", "SVNR", "## ###### ? ###"});
  all.push_back({"ES", "Spain", names("Andrés|Íñigo|Pablo|Ramón|Óscar|Hugo"), names("Begoña|Lucía|Sofía|Nieves|Mónica|Alba"),
                 names("Muñoz|Núñez|García|Ibáñez|Vázquez|Reyes|Peña"),
                 split("Calle de Alcalá|Calle Mayor|Avenida de América|Paseo de "
                       "Extremadura|Calle Nebrija"),
                 places("Málaga/Andalucía|A Coruña/Galicia|Cádiz/Andalucía|Logroño/La "
                        "Rioja|Castellón de la Plana/Comunidad Valenciana"),
                 "9####", "9##-###-###", "6##-###-###", "DNI", "########-?"});
  all.push_back({"FR", "France", names("Théo|Gaël|François|Noé|Léandre|Hugo"), names("Éloïse|Zoé|Anaïs|Inès|Maélys|Louane"),
                 names("Lefèvre|Gérard|Dupont|Muller|Faure|Noël|Morel"),
                 split("Rue de l'Abbé-Grégoire|Place du 8 Février 1962|Rue "
                       "Bossuet|Avenue Joliot Curie|Quai Chauveau"),
                 places("Nîmes/Gard|Besançon/Doubs|Orléans/"
                        "Loiret|Saint-Étienne/Loire|Lyon/Rhône"),
                 "9####", "0#-##-##-##-##", "06-##-##-##-##", "INSEE", "1############ ##"});
  all.push_back({"GB", "United Kingdom", names("Oliver|Harry|Callum|Dylan|Nathan|Siôn"),
                 names("Evie|Niamh|Poppy|Zoë|Abigail|Siân"), names("Smith|Evans|MacDonald|O'Neill|Fletcher|Brontë|Hughes"),
                 split("High Street|Mill Road|The Avenue|Church Lane|Queensway"),
                 places("Leeds/West Yorkshire|Cardiff/South "
                        "Glamorgan|Perth/Tayside|Derby/Derbyshire|Newry/County Down"),
                 "?9# 9??", "01### #####", "07### ######", "NINO", "?? ## ## ## ?"});
  all.push_back({"NL", "Netherlands", names("Daan|Joël|Sjoerd|Thijs|René|Willem"), names("Noëlle|Fleur|Sanne|Zoë|Maaike|Renée"),
                 names("de Vries|Jansen|van der Berg|Coöperman|Kuiper|Bakker|Mulder"),
                 split("Dorpsstraat|Molenweg|Beukenlaan|Burgemeester "
                       "Röellstraat|Kerkstraat"),
                 places("Utrecht/Utrecht|Leiden/Zuid-Holland|Groningen/"
                        "Groningen|Hoogezand/Groningen|Zwolle/Overijssel"),
                 "9### ??", "(0##) #######", "(06) ########", "BSN", "########"});
  all.push_back({"NO", "Norway", names("Bjørn|Håkon|Øyvind|Sander|Jørgen|Ola"),
                 names("Åse|Solveig|Mathilde|Sørine|Ingrid|Kjersti"), names("Sørensen|Østby|Hansen|Bråten|Næss|Lund|Gjerde"),
                 split("Kirkegata|Sørkedalsveien|Bjørnstjerne Bjørnsons "
                       "gate|Åsveien|Storgata"),
                 places("Tromsø/Troms og Finnmark|Ålesund/Møre og "
                        "Romsdal|Bergen/Vestland|Bodø/Nordland|Skien/Telemark"),
                 "9###", "########", "4#######", "FN", "###########"});
  all.push_back({"TR", "Turkey", names("Çağlar|Emre|Oğuz|Şahin|İlker|Burak"), names("Gülşen|Ayşe|Çiğdem|Özlem|Elif|Nazlı"),
                 names("Yılmaz|Öztürk|Çelik|Doğan|Şahin|Kaya|Akgül"),
                 split("Atatürk Sk|Bağdat Cd|İstiklal Cd|Necatibey Cd|Kushimoto Sk"),
                 places("İzmir/İzmir|Eskişehir/Eskişehir|Diyarbakır/Diyarbakır|Muğla/"
                        "Muğla|Kütahya/Kütahya"),
                 "9####", "(###)-###-####", "(5##)-###-####", "", ""});
  all.push_back({"UA", "Ukraine", names("Андрій|Тарас|Юрій|Богдан|Олег|Мирон"), names("Леся|Ганна|Оксана|Соломія|Ірина|Яна"),
                 names("Шевченко|Бондаренко|Коваль|Мельник|Лисенко|Ткачук|Гончар"),
                 split("Вулиця Хрещатик|Проспект Науки|Вулиця Франка|Площа Ринок|Вулиця "
                       "Садова"),
                 places("Львів/Львівська|Полтава/Полтавська|Умань/Черкаська|Одеса/"
                        "Одеська|Луцьк/Волинська"),
                 "9####", "(0##) ?##-####", "(09#) ###-####", "", ""});
  all.push_back({"US", "United States", names("James|Tyler|Marcus|Wyatt|Dwayne|Luis"),
                 names("Emily|Aubrey|Zoey|Ramona|Peggy|Naomi"), names("Johnson|Ramirez|Carter|Nelson|O'Connor|Washington|Price"),
                 split("Main Street|Oak Lane|Railroad St|Hickory Creek Dr|Thornridge Cir"),
                 places("Portland/Oregon|Santa Fe/New "
                        "Mexico|Boise/Idaho|Savannah/Georgia|Cincinnati/Ohio"),
                 "9####", "(###) ###-####", "(###) ###-####", "SSN", "###-##-####"});
  return all;
}

}  // namespace

std::string fold_to_ascii(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    char c = text[0];
    size_t size = 1;
    if (c >= 'A' && c <= 'Z') out += static_cast<char>(c + 32);
    if (c >= 'a' && c <= 'z') out += c;
    for (auto [from, to] : kFolds) {
      if (!text.starts_with(from)) continue;
      out += to;
      size = from.size();
      break;
    }
    text.remove_prefix(size);
  }
  return out;
}

const std::vector<Nation>& nations() {
  static const std::vector<Nation> all = make_nations();
  return all;
}

const Nation* find_nation(std::string_view code) {
  for (const Nation& nation : nations())
    if (nation.code == code) return &nation;
  return nullptr;
}

}  // namespace millrace::serve::randomuser
