"""Phrases of languages in alphabets and consonant scripts: Latin to Ethiopic."""

from __future__ import annotations

from tests.acceptance.bank import Bank, bank

ALPHABETS: tuple[Bank, ...] = (
    bank(
        "English",
        "Latin",
        "{when} {who} {what} {where}.",
        when="last Tuesday|early in the morning|after the long storm|before the market opened|"
        "during the winter holidays|on a quiet evening",
        who="the old fisherman|my younger cousin|a careful engineer|the village doctor|"
        "our new neighbour|the tired driver|a friendly baker|the museum guide",
        what="repaired the broken window|carried fresh bread to the school|"
        "painted the wooden boat green|read a letter from his brother|"
        "planted apple trees and roses|cooked soup for the visitors|sang an old song about rain|"
        "sold warm coats and gloves|wrote a long report about the river|"
        "watched the birds above the lake|cleaned the dusty shelves with a cloth",
        where="near the stone bridge|behind the railway station|in the small kitchen|"
        "beside the town hall|at the edge of the forest|on the upper floor",
        first="{n} students passed the final exam in mathematics this spring.",
        middle="The library bought {n} new chairs for its reading room.",
        last="The slow train to the coast leaves from platform {n}",
        weight="The label on the brown bottle clearly says {q} for each day.",
        price="A ticket for the whole family costs {q} at the gate.",
        degrees="At night the temperature in the valley was {q} again.",
        negation=(
            (
                "The judge did accept the new evidence.",
                "The judge did not accept the new evidence.",
            ),
            (
                "You should open this valve under pressure.",
                "You shouldn't open this valve under pressure.",
            ),
            (
                "There is hope for the crew of the ship.",
                "There is no hope for the crew of the ship.",
            ),
            ("My uncle has ever eaten meat at home.", "My uncle has never eaten meat at home."),
            ("They can swim across the cold strait.", "They can't swim across the cold strait."),
            ("Take the tablets with water and food.", "Take the tablets without water and food."),
        ),
    ),
    bank(
        "German",
        "Latin",
        "{who} {what} {where}, und zwar {when}.",
        when="am Dienstag|früh am Morgen|nach dem Gewitter|vor der Abfahrt|in den Winterferien|"
        "an einem stillen Abend",
        who="der alte Fischer|mein Vetter|ein junger Ingenieur|der Dorfarzt|unser Nachbar|"
        "der müde Fahrer|ein freundlicher Bäcker|der Museumsführer",
        what="reparierte das zerbrochene Fenster|brachte frisches Brot zur Schule|"
        "bemalte das hölzerne Boot|las einen Brief aus der Heimat|pflanzte Apfelbäume und Rosen|"
        "kochte Suppe für die Gäste|sang ein altes Lied vom Regen|verkaufte warme Mäntel|"
        "schrieb einen Bericht über den Fluss|beobachtete die Vögel über dem See",
        where="an der Steinbrücke|hinter dem Bahnhof|in der kleinen Küche|neben dem Rathaus|"
        "am Rand des Waldes|im oberen Stockwerk",
        first="{n} Schüler bestanden im Frühling die Prüfung in Mathematik.",
        middle="Die Bücherei kaufte {n} neue Stühle für den Lesesaal.",
        last="Der Bummelzug zur Küste fährt heute von Gleis {n}",
        weight="Auf dem Etikett der braunen Flasche steht deutlich {q} am Tag.",
        price="Eine Karte für die ganze Familie kostet {q} an der Kasse.",
        degrees="In der Nacht waren es im Tal wieder {q} im Schatten.",
        negation=(
            ("Der Zeuge kennt den Angeklagten gut.", "Der Zeuge kennt den Angeklagten nicht gut."),
            ("Wir haben ein Zimmer mit Bad frei.", "Wir haben kein Zimmer mit Bad frei."),
        ),
        marks=(
            ("accent", "Das Haus am See ist schon gebaut.", "Das Haus am See ist schön gebaut."),
        ),
    ),
    bank(
        "Vietnamese",
        "Latin",
        "{when} {who} {what} {where}.",
        when="sáng hôm qua|chiều thứ ba|sau cơn mưa lớn|trước giờ họp chợ|vào dịp nghỉ đông|"
        "một buổi tối yên tĩnh",
        who="ông lão đánh cá|em họ tôi|một kỹ sư cẩn thận|bác sĩ trong làng|người hàng xóm mới|"
        "bác tài xế|anh thợ làm bánh|người hướng dẫn viên",
        what="sửa cái cửa sổ bị vỡ|mang bánh mì nóng đến trường|sơn chiếc thuyền gỗ màu xanh|"
        "đọc lá thư của anh trai|trồng cây táo và hoa hồng|nấu canh cho khách|"
        "hát một bài ca cũ về mưa|bán áo ấm và găng tay|viết bài về dòng sông|"
        "ngắm đàn chim trên mặt hồ",
        where="gần cây cầu đá|sau nhà ga|trong căn bếp nhỏ|cạnh tòa thị chính|ở bìa rừng|"
        "trên tầng trên",
        first="{n} học sinh đã đỗ kỳ thi toán vào mùa xuân này.",
        middle="Thư viện đã mua {n} chiếc ghế mới cho phòng đọc.",
        last="Chuyến tàu chậm ra biển khởi hành từ sân ga {n}",
        weight="Nhãn trên chai màu nâu ghi rõ {q} cho mỗi ngày.",
        price="Vé cho cả gia đình có giá {q} ở ngoài cổng.",
        degrees="Ban đêm nhiệt độ trong thung lũng lại là {q} ngoài trời.",
        negation=(
            ("Bệnh nhân này ăn được thịt bò.", "Bệnh nhân này không ăn được thịt bò."),
            ("Anh ấy đã trả tiền thuê nhà.", "Anh ấy chưa trả tiền thuê nhà."),
        ),
        marks=(
            ("tone mark", "Anh ấy ngồi với bạn ngoài sân.", "Anh ấy ngồi với bàn ngoài sân."),
            ("tone mark", "Cô giáo vẽ con dê lên bảng.", "Cô giáo vẽ con dế lên bảng."),
            ("tone mark", "Họ mua nhiều cá ở chợ làng.", "Họ mua nhiều cà ở chợ làng."),
            ("vowel sign", "Cha tôi thích ăn cơm với rau.", "Cha tôi thích ăn cốm với rau."),
        ),
    ),
    bank(
        "Turkish",
        "Latin",
        "{when} {who} {where} {what}.",
        when="salı günü|sabah erkenden|uzun fırtınadan sonra|pazar açılmadan önce|kış tatilinde|"
        "sakin bir akşam",
        who="yaşlı balıkçı|küçük kuzenim|dikkatli bir mühendis|köyün doktoru|yeni komşumuz|"
        "yorgun şoför|güler yüzlü fırıncı|müze rehberi",
        what="kırık pencereyi onardı|okula taze ekmek götürdü|tahta kayığı yeşile boyadı|"
        "kardeşinin mektubunu okudu|elma ağaçları ve güller dikti|misafirlere çorba pişirdi|"
        "yağmur üstüne eski bir türkü söyledi|kalın paltolar sattı|ırmak hakkında rapor yazdı|"
        "gölün üstündeki kuşları seyretti",
        where="taş köprünün yanında|istasyonun arkasında|küçük mutfakta|belediyenin önünde|"
        "ormanın kıyısında|üst katta",
        first="{n} öğrenci bu bahar matematik sınavını geçti.",
        middle="Kütüphane okuma odası için {n} yeni sandalye aldı.",
        last="Sahile giden yavaş tren şu perondan kalkıyor: {n}",
        weight="Kahverengi şişenin etiketinde günde {q} yazıyor.",
        price="Bütün aile için bir bilet kapıda {q} tutuyor.",
        degrees="Gece vadide sıcaklık yine {q} olarak ölçüldü.",
        negation=(
            (
                "Bu ilaç çocuklar için zararlı bulundu.",
                "Bu ilaç çocuklar için zararlı değil bulundu.",
            ),
            ("Depoda yeterince su var bugün.", "Depoda yeterince su yok bugün."),
        ),
        marks=(
            (
                "accent",
                "Annemin hala köyde oturduğunu biliyorum.",
                "Annemin hâlâ köyde oturduğunu biliyorum.",
            ),
            (
                "accent",
                "Bahçede kuru bir dal vardı, adı sık.",
                "Bahçede kuru bir dal vardı, adı şık.",
            ),
        ),
    ),
    bank(
        "Yoruba",
        "Latin",
        "{when} {who} {what} {where}.",
        when="ní òwúrọ̀ kùtùkùtù|ní ọjọ́ Ìṣẹ́gun|lẹ́yìn òjò ńlá|ṣáájú ọjà|ní ìrọ̀lẹ́ àná",
        who="apẹja àgbà náà|ìbátan mi kékeré|dókítà abúlé wa|aládùúgbò wa tuntun|awakọ̀ náà|"
        "olùṣe búrẹ́dì",
        what="tún fèrèsé ṣe dáadáa|gbé búrẹ́dì tuntun lọ sí ilé ẹ̀kọ́|kun ọkọ̀ ojú omi ní àwọ̀ ewé|"
        "ka lẹ́tà láti ọwọ́ arákùnrin rẹ̀|gbin igi ọsàn àti òdòdó|se ọbẹ̀ fún àwọn àlejò|"
        "kọ orin àtijọ́ nípa òjò|ta aṣọ òtútù púpọ̀|kọ ìròyìn nípa odò|wo àwọn ẹyẹ lórí adágún",
        where="lẹ́gbẹ̀ẹ́ afárá òkúta|lẹ́yìn ibùdó ọkọ̀|nínú ilé ìdáná kékeré|níwájú gbọ̀ngàn ìlú|"
        "ní etí igbó",
        first="{n} akẹ́kọ̀ọ́ yege nínú ìdánwò ìṣirò ní ọdún yìí.",
        middle="Ilé ìkàwé ra {n} àga tuntun fún yàrá ìkàwé.",
        last="Ọkọ̀ ojú irin náà gbéra láti pèpéle {n}",
        weight="Ìwé ara ìgò náà sọ pé {q} lójúmọ́.",
        price="Tíkẹ́ẹ̀tì fún gbogbo ẹbí jẹ́ {q} lẹ́nu ọ̀nà.",
        degrees="Ní òru ìgbóná àfonífojì náà jẹ́ {q} lẹ́ẹ̀kan sí i.",
        negation=(
            ("Olùkọ́ náà wá sí ilé ẹ̀kọ́ lónìí.", "Olùkọ́ náà kò wá sí ilé ẹ̀kọ́ lónìí."),
            ("Bàbá mi ti jẹun ní àárọ̀.", "Bàbá mi kò tí ì jẹun ní àárọ̀."),
        ),
        marks=(
            ("tone mark", "Ó ra ọkọ̀ tuntun ní ọjà Ìbàdàn.", "Ó ra ọkọ́ tuntun ní ọjà Ìbàdàn."),
            ("tone mark", "Mo rí igbá kan nínú yàrá.", "Mo rí ìgbà kan nínú yàrá."),
        ),
    ),
    bank(
        "Russian",
        "Cyrillic",
        "{when} {who} {what} {where}.",
        when="во вторник|рано утром|после долгой бури|перед открытием рынка|на зимних каникулах|"
        "тихим вечером",
        who="старый рыбак|мой двоюродный брат|осторожный инженер|сельский врач|наш новый сосед|"
        "усталый водитель|добрый пекарь|экскурсовод музея",
        what="починил разбитое окно|отнёс в школу свежий хлеб|покрасил деревянную лодку|"
        "прочитал письмо от брата|посадил яблони и розы|сварил суп для гостей|"
        "спел старую песню о дожде|продал тёплые пальто|написал отчёт о реке|"
        "наблюдал за птицами над озером",
        where="возле каменного моста|за вокзалом|на маленькой кухне|рядом с ратушей|"
        "на опушке леса|на верхнем этаже",
        first="{n} учеников сдали этой весной экзамен по математике.",
        middle="Библиотека купила {n} новых стульев для читального зала.",
        last="Медленный поезд к морю отходит с платформы {n}",
        weight="На этикетке коричневой бутылки ясно написано {q} в день.",
        price="Билет на всю семью стоит {q} у входа в парк.",
        degrees="Ночью температура в долине опять была {q} по датчику.",
        negation=(
            ("Свидетель узнал этого человека в суде.", "Свидетель не узнал этого человека в суде."),
            ("У нас есть билеты на утренний рейс.", "У нас нет билеты на утренний рейс."),
        ),
        marks=(("accent", "Мы уже видели все новые дома.", "Мы уже видели всё новые дома."),),
    ),
    bank(
        "Greek",
        "Greek",
        "{when} {who} {what} {where}.",
        when="την Τρίτη|νωρίς το πρωί|μετά την καταιγίδα|πριν ανοίξει η αγορά|στις διακοπές|"
        "ένα ήσυχο βράδυ",
        who="ο γέρος ψαράς|ο μικρός ξάδερφός μου|ένας προσεκτικός μηχανικός|ο γιατρός του χωριού|"
        "ο νέος μας γείτονας|ο κουρασμένος οδηγός|ο φούρναρης|ο ξεναγός",
        what="επισκεύασε το σπασμένο παράθυρο|πήγε φρέσκο ψωμί στο σχολείο|"
        "έβαψε πράσινη τη βάρκα|διάβασε ένα γράμμα του αδελφού του|"
        "φύτεψε μηλιές και τριανταφυλλιές|"
        "μαγείρεψε σούπα για τους επισκέπτες|τραγούδησε ένα παλιό τραγούδι|πούλησε ζεστά παλτά|"
        "έγραψε μια αναφορά για το ποτάμι|κοίταζε τα πουλιά πάνω από τη λίμνη",
        where="κοντά στο πέτρινο γεφύρι|πίσω από τον σταθμό|στη μικρή κουζίνα|δίπλα στο δημαρχείο|"
        "στην άκρη του δάσους|στον πάνω όροφο",
        first="{n} μαθητές πέρασαν φέτος την άνοιξη το διαγώνισμα μαθηματικών.",
        middle="Η βιβλιοθήκη αγόρασε {n} καινούριες καρέκλες για το αναγνωστήριο.",
        last="Το αργό τρένο για την ακτή φεύγει από την αποβάθρα {n}",
        weight="Η ετικέτα στο καφέ μπουκάλι γράφει καθαρά {q} την ημέρα.",
        price="Ένα εισιτήριο για όλη την οικογένεια κοστίζει {q} στην πύλη.",
        degrees="Τη νύχτα η θερμοκρασία στην κοιλάδα ήταν πάλι {q} έξω.",
        negation=(
            (
                "Ο μάρτυρας γνωρίζει τον κατηγορούμενο.",
                "Ο μάρτυρας δεν γνωρίζει τον κατηγορούμενο.",
            ),
            ("Να ανοίξεις το κόκκινο κουτί απόψε.", "Να μην ανοίξεις το κόκκινο κουτί απόψε."),
        ),
        marks=(
            (
                "accent",
                "Ο νόμος της περιοχής άλλαξε πέρυσι.",
                "Ο νομός της περιοχής άλλαξε πέρυσι.",
            ),
            ("accent", "Πότε ήρθε ο γιατρός στο χωριό μας;", "Ποτέ ήρθε ο γιατρός στο χωριό μας;"),
        ),
    ),
    bank(
        "Armenian",
        "Armenian",
        "{when} {who} {where} {what}։",
        when="երեքշաբթի օրը|վաղ առավոտյան|երկար փոթորկից հետո|ձմեռային արձակուրդին|"
        "հանգիստ մի երեկո",
        who="ծեր ձկնորսը|իմ զարմիկը|զգույշ ճարտարագետը|գյուղի բժիշկը|մեր նոր հարևանը|"
        "հոգնած վարորդը|բարի հացթուխը",
        what="նորոգեց կոտրված պատուհանը|դպրոց տարավ թարմ հաց|ներկեց փայտե նավակը|"
        "կարդաց եղբոր նամակը|տնկեց խնձորենիներ և վարդեր|ապուր եփեց հյուրերի համար|"
        "երգեց հին երգ անձրևի մասին|վաճառեց տաք վերարկուներ|գրեց հոդված գետի մասին|"
        "դիտեց լճի վրայի թռչուններին",
        where="քարե կամրջի մոտ|կայարանի հետևում|փոքրիկ խոհանոցում|քաղաքապետարանի կողքին|"
        "անտառի եզրին|վերին հարկում",
        first="{n} աշակերտ այս գարնանը հանձնեց մաթեմատիկայի քննությունը։",
        middle="Գրադարանը գնեց {n} նոր աթոռ ընթերցասրահի համար։",
        last="Դանդաղ գնացքը դեպի ծով մեկնում է կառամատույցից {n}",
        weight="Շագանակագույն շշի պիտակին պարզ գրված է {q} օրական։",
        price="Ամբողջ ընտանիքի տոմսը մուտքի մոտ արժե {q} այսօր։",
        degrees="Գիշերը հովտում ջերմաստիճանը կրկին {q} էր դրսում։",
        negation=(
            ("Վկան ճանաչում է այս մարդուն շատ լավ։", "Վկան չի ճանաչում այս մարդուն շատ լավ։"),
            ("Բժիշկը այսօր եկավ հիվանդի մոտ տուն։", "Բժիշկը այսօր չեկավ հիվանդի մոտ տուն։"),
        ),
    ),
    bank(
        "Georgian",
        "Georgian",
        "{when} {who} {where} {what}.",
        when="სამშაბათს|დილით ადრე|დიდი ქარიშხლის შემდეგ|ზამთრის არდადეგებზე|წყნარ საღამოს",
        who="მოხუცმა მეთევზემ|ჩემმა ბიძაშვილმა|ფრთხილმა ინჟინერმა|სოფლის ექიმმა|"
        "ჩვენმა ახალმა მეზობელმა|დაღლილმა მძღოლმა|კეთილმა მცხობელმა",
        what="გატეხილი ფანჯარა შეაკეთა|სკოლაში ახალი პური მიიტანა|ხის ნავი მწვანედ შეღება|"
        "ძმის წერილი წაიკითხა|ვაშლის ხეები და ვარდები დარგო|სტუმრებისთვის წვნიანი მოხარშა|"
        "წვიმაზე ძველი სიმღერა იმღერა|თბილი პალტოები გაყიდა|მდინარეზე მოხსენება დაწერა|"
        "ტბის თავზე ჩიტებს უყურა",
        where="ქვის ხიდთან|სადგურის უკან|პატარა სამზარეულოში|მერიის გვერდით|ტყის პირას|"
        "ზედა სართულზე",
        first="{n} მოსწავლემ ამ გაზაფხულზე მათემატიკის გამოცდა ჩააბარა.",
        middle="ბიბლიოთეკამ სამკითხველო დარბაზისთვის {n} ახალი სკამი იყიდა.",
        last="ნელი მატარებელი ზღვისკენ გადის ბაქნიდან {n}",
        weight="ყავისფერი ბოთლის ეტიკეტზე დღეში {q} გარკვევით წერია.",
        price="მთელი ოჯახის ბილეთი შესასვლელთან {q} ღირს დღეს.",
        degrees="ღამით ხეობაში ტემპერატურა ისევ {q} იყო გარეთ.",
        negation=(
            ("მოწმე კარგად იცნობს ამ კაცს სოფლიდან.", "მოწმე კარგად არ იცნობს ამ კაცს სოფლიდან."),
            ("ავადმყოფს დღეს წამალი უნდა მისცე.", "ავადმყოფს დღეს წამალი არ უნდა მისცე."),
        ),
    ),
    bank(
        "Arabic",
        "Arabic",
        "{who} {what} {where} {when}.",
        when="يوم الثلاثاء|في الصباح الباكر|بعد العاصفة الطويلة|قبل افتتاح السوق|"
        "في عطلة الشتاء|ذات مساء هادئ",
        who="الصياد العجوز|ابن عمي الصغير|المهندس الحذر|طبيب القرية|جارنا الجديد|"
        "السائق المتعب|الخباز الطيب|مرشد المتحف",
        what="أصلح النافذة المكسورة|حمل الخبز الطازج إلى المدرسة|دهن القارب الخشبي|"
        "قرأ رسالة من أخيه|زرع أشجار التفاح والورد|طبخ الحساء للضيوف|غنى أغنية قديمة عن المطر|"
        "باع معاطف دافئة|كتب تقريرا عن النهر|راقب الطيور فوق البحيرة",
        where="قرب الجسر الحجري|خلف محطة القطار|في المطبخ الصغير|بجانب البلدية|"
        "عند طرف الغابة|في الطابق العلوي",
        first="{n} تلميذا نجحوا هذا الربيع في امتحان الرياضيات.",
        middle="اشترت المكتبة {n} كرسيا جديدا لقاعة القراءة.",
        last="القطار البطيء إلى الساحل يغادر من الرصيف {n}",
        weight="مكتوب بوضوح على الزجاجة البنية {q} في اليوم.",
        price="تكلف التذكرة للعائلة كلها {q} عند الباب.",
        degrees="كانت الحرارة في الوادي ليلا {q} مرة أخرى.",
        negation=(
            ("الشاهد يعرف هذا الرجل من القرية.", "الشاهد لا يعرف هذا الرجل من القرية."),
            ("المريض يأكل اللحم منذ أسبوع كامل.", "المريض لم يأكل اللحم منذ أسبوع كامل."),
            ("الماء في البئر القديمة صالح للشرب.", "ليس الماء في البئر القديمة صالح للشرب."),
            ("سوف يعود القائد مع جنوده غدا.", "لن يعود القائد مع جنوده غدا."),
        ),
        marks=(
            ("vowel sign", "كَتَبَ الولد الرسالة في البيت.", "كُتِبَ الولد الرسالة في البيت."),
            ("vowel sign", "رأيت الرَّجُلَ تحت الطاولة أمس.", "رأيت الرِّجْلَ تحت الطاولة أمس."),
            ("vowel sign", "عَلِمَ القاضي بالأمر يوم الأحد.", "عُلِمَ القاضي بالأمر يوم الأحد."),
        ),
        native=("٣٧", "٣٨"),
    ),
    bank(
        "Hebrew",
        "Hebrew",
        "{when} {who} {what} {where}.",
        when="ביום שלישי|מוקדם בבוקר|אחרי הסערה הארוכה|לפני פתיחת השוק|בחופשת החורף|בערב שקט אחד",
        who="הדייג הזקן|בן הדוד שלי|מהנדס זהיר|רופא הכפר|השכן החדש שלנו|הנהג העייף|"
        "האופה החביב|מדריך המוזיאון",
        what="תיקן את החלון השבור|הביא לחם טרי לבית הספר|צבע את סירת העץ בירוק|"
        "קרא מכתב מאחיו|נטע עצי תפוח ושושנים|בישל מרק לאורחים|שר שיר ישן על הגשם|"
        "מכר מעילים חמים|כתב דוח על הנהר|צפה בציפורים מעל האגם",
        where="ליד גשר האבן|מאחורי תחנת הרכבת|במטבח הקטן|לצד בניין העירייה|בשולי היער|"
        "בקומה העליונה",
        first="{n} תלמידים עברו באביב את הבחינה במתמטיקה.",
        middle="הספרייה קנתה {n} כיסאות חדשים לאולם הקריאה.",
        last="הרכבת האיטית אל החוף יוצאת מרציף {n}",
        weight="על התווית של הבקבוק החום כתוב {q} ביום.",
        price="כרטיס לכל המשפחה עולה {q} ליד השער.",
        degrees="בלילה הטמפרטורה בעמק הייתה שוב {q} בחוץ.",
        negation=(
            ("העד מכיר את האיש הזה היטב.", "העד לא מכיר את האיש הזה היטב."),
            ("יש מים נקיים בבאר הישנה בכפר.", "אין מים נקיים בבאר הישנה בכפר."),
        ),
        marks=(
            ("vowel sign", "אבא קנה חָלָב בשוק של העיר.", "אבא קנה חֵלֶב בשוק של העיר."),
            ("vowel sign", "ראינו סֵפֶר יפה בתוך החנות.", "ראינו סַפָּר יפה בתוך החנות."),
        ),
    ),
    bank(
        "Amharic",
        "Ethiopic",
        "{when} {who} {where} {what}።",
        when="ማክሰኞ ዕለት|ጠዋት በማለዳ|ከትልቁ ዝናብ በኋላ|በክረምት ዕረፍት|ጸጥ ባለ ምሽት",
        who="ሽማግሌው ዓሣ አጥማጅ|ታናሽ ወንድሜ|ጠንቃቃው መሐንዲስ|የመንደሩ ሐኪም|አዲሱ ጎረቤታችን|የደከመው ሾፌር|ደጉ ዳቦ ጋጋሪ",
        what="የተሰበረውን መስኮት ጠገነ|ለትምህርት ቤት ትኩስ ዳቦ ወሰደ|የእንጨት ጀልባውን ቀባ|"
        "ከወንድሙ የመጣውን ደብዳቤ አነበበ|የፖም ዛፎችና አበቦች ተከለ|ለእንግዶች ሾርባ አዘጋጀ|"
        "ስለ ዝናብ የቆየ ዘፈን ዘፈነ|ሞቃት ካፖርቶች ሸጠ|ስለ ወንዙ ዘገባ ጻፈ|ከሐይቁ በላይ ወፎችን ተመለከተ",
        where="በድንጋዩ ድልድይ አጠገብ|ከባቡር ጣቢያው ጀርባ|በትንሿ ወጥ ቤት|ከማዘጋጃ ቤቱ ጎን|በጫካው ዳር|በላይኛው ፎቅ",
        first="{n} ተማሪዎች በዚህ ዓመት የሒሳብ ፈተና አለፉ።",
        middle="ቤተ መጻሕፍቱ ለንባብ ክፍሉ {n} አዲስ ወንበሮች ገዛ።",
        last="ወደ ባሕር የሚሄደው ባቡር የሚነሣው ከመድረክ {n}",
        weight="በቡናማው ጠርሙስ ላይ በቀን {q} ተብሎ ተጽፏል።",
        price="ለመላው ቤተሰብ ቲኬቱ በበሩ ላይ {q} ነው።",
        degrees="ሌሊት በሸለቆው ውስጥ ሙቀቱ እንደገና {q} ነበር።",
        negation=(
            ("ምስክሩ ይህንን ሰው በደንብ ያውቃል ዛሬ።", "ምስክሩ ይህንን ሰው በደንብ አያውቅም ዛሬ።"),
            ("በአሮጌው ጉድጓድ ውስጥ ንጹሕ ውሃ አለ።", "በአሮጌው ጉድጓድ ውስጥ ንጹሕ ውሃ የለም።"),
        ),
        native=("፳፭", "፳፮"),
    ),
)
