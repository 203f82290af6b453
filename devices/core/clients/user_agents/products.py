"""The tables of what programs and systems call themselves, and of what is no program at all.

Each is read once into folded spellings (`fold`), so that "UCBrowser", "UC Browser" and "uc-browser"
are one. New apps and browsers are added here, new tools in `tools`.
"""

from typing import Final

from .tables import folded, table
from .tools import TOOL_NAMES

# Distributions are all "Linux": a browser names its distribution in one release, not in the next.
OPERATING_SYSTEMS: Final = table("""
Windows: Windows NT, Win32, Windows CE, Windows 95, Windows 98, Windows ME, Windows XP, Windows \
RT
Windows Mobile
Windows Phone: Windows Phone OS
macOS: Mac OS X, Mac OS, Macintosh, OS X, OSX
iOS: iPhone OS
iPadOS
tvOS: ATV OS X, Apple TV
watchOS: WatchOS
Android: Fire OS, FireHbbTV, Android TV, GoogleTV, Chromecast Android, Wear OS
ChromeOS: Chrome OS, Chromium OS, CrOS
Fuchsia: Chromecast Fuchsia
Linux: Ubuntu, Kubuntu, Xubuntu, Lubuntu, Debian, Fedora, Red Hat, CentOS, Gentoo, SUSE, \
openSUSE, Arch Linux, Linux Mint, Mint, Mandriva, Mageia, Slackware, PCLinuxOS, Puppy, \
VectorLinux, Raspbian, Chromecast Linux, Sony
HarmonyOS: OpenHarmony
KaiOS
BlackBerry OS: BlackBerry Tablet OS, BlackBerry
Symbian OS: Symbian, Symbian^3, Symbian^3 Anna, Symbian^3 Belle
Series 40: Nokia Series 40
Tizen
webOS: Web0S, webOS TV
Roku OS: Roku
Solaris: SunOS
OS/2
PlayStation: Orbis OS
""")

# What a browser or an app calls itself in its user agent, its brands or its package.
_APPS: Final = table("""
1Password
2345 Browser: Mb2345Browser, com.browser2345, 2345Explorer, 2345chrome
360 Browser: 360SE, 360EE, QihooBrowser, QHBrowser, com.qihoo.browser, com.qihoo.contents, \
com.qihoo.haosou, com.qihoo.padbrowser, 360 Aphone Browser, 360 Alitephone Browser, \
360 Secure Browser
360 Security: com.qihoo.security
AdBlock Browser: ABB
Alexa: AlexaService, AlexaMediaPlayer
AliExpress: AliExpressHD
Alipay: AlipayClient, com.eg.android.AlipayGphone
Aliyun Browser: Tanggula
Aloha Browser
Amazon Music: AmazonMusic, com.amazon.mp3
Amazon Shopping: Amazon.com, com.amazon.mShop, com.amazon.windowshop, AmazonShopping
Android Browser: Android
Apple News: AppleNews
Apple Podcasts: Podcasts, Подкасты, Подкасти, Podcasty, Podcastok, 播客, 팟캐스트, พ็อดคาสท์, البودكاست
Audacy: Radio.com
Avast Secure Browser: AvastSecureBrowser, Avast
AVG Secure Browser: AVG
Avira Secure Browser: Avira
Baidu App: baiduboxapp, BaiduHD, com.baidu.searchbox
Baidu Browser: bdbrowser, bdbrowser_i18n, BIDUBrowser, Baidu Explorer
Basecamp: Basecamp3
Binance: BNC, com.binance.dev
BlackBerry Browser: BlackBerry, BlackBerry WebKit
Brave
CCleaner Browser: CCleaner
CFNetwork: AppleCoreMedia
ChatGPT
Citrix Workspace: CitrixReceiver
Chrome: Google Chrome, Chrome Mobile, Chrome Mobile iOS, Chrome Mobile WebView, Android WebView, \
Chrome Frame, CriOS
CM Browser: ACHEETAHI
Coc Coc: coc_coc_browser, coccocbrowser
Coinbase: CoinbaseRetail, com.coinbase.android
Daum: DaumApps
DeepSeek: com.deepseek
DingTalk: com.alibaba.android.rimet, com.laiwang.DingTalk
Discord
Disney+: DisneyPlus
Dolfin: Jasmine
Douyin: aweme, com.ss.android.ugc.aweme
DuckDuckGo: DuckDuckGo Mobile, Ddg, ddg_android
eBay
Ecosia: Ecosia Android, Ecosia iOS
ESPN: com.espn
Edge: Microsoft Edge, com.microsoft.emmx, Edge Mobile, Edg, EdgA, EdgiOS, EdgW, Edge WebView, \
Microsoft Edge WebView2
Electron
Facebook: FBAN, FB_IAB, FB4A, FBIOS, com.facebook.katana, com.facebook.lite
Facebook Messenger: Messenger, Orca-Android, com.facebook.orca, com.facebook.mlite, \
MessengerForiOS, MessengerLiteForiOS
ffmpeg: Lavf
Firefox: Firefox Mobile, Firefox iOS, FxiOS, Firefox Alpha, Firefox Beta, Focus, Klar, Rocket, \
Minefield, Gran Paradiso, GranParadiso, Bon Echo, BonEcho, Lorentz, Iceweasel, IceCat, Namoroka, \
Shiretoko, Fennec, org.mozilla.firefox, org.mozilla.focus, org.mozilla.klar, org.mozilla.rocket
Free Download Manager: FDM
Gmail: com.google.android.gm, com.google.Gmail
GNOME Web: Epiphany
Google App: GSA, Google, Google Search, Google Go, com.google.android.googlequicksearchbox, \
com.google.android.apps.searchlite
Google Assistant: OPA
Google Chat: com.google.android.apps.dynamite
Google Drive: com.google.android.apps.docs, com.google.Drive, GoogleDrive
Google Gemini: com.google.android.apps.bard
Google Pay: com.google.android.apps.nbu.paisa.user, com.google.android.apps.walletnfcrel
Google Maps: com.google.android.apps.maps, com.google.Maps, GoogleMaps
Google Messages: com.google.android.apps.messaging
Google News: GNews
Google Photos: com.google.android.apps.photos, com.google.photos
Google Podcasts: GoogleChirp, com.google.android.apps.podcasts
Google Play: com.android.vending, com.google.android.gms
GoodReader: GoodReader4
Hawk Quick Browser: QuickBrowser
HeyTap Browser: HeyTapBrowser
Huawei Browser
Instagram
JioSaavn: com.jio.media.jiobeats, Saavn
Internet Explorer: IE, IE Mobile, IE Large Screen, MSIE, IEMobile
KakaoTalk
Lenovo Browser: LenovoBrowser, MobileLenovoBrowser
LG Browser
LINE
LinkedIn: LinkedInApp
Meizu Browser: MZBrowser
Meta Business Suite: FBPageAdmin, com.facebook.pages
Meta Quest Browser: Oculus Browser
Mi Browser: MiuiBrowser, com.mi.globalbrowser
Microsoft Bing: com.microsoft.bing, BingSapphire, BingSearch, bingipadclient, BingWeb, Sapphire
Microsoft Copilot: com.microsoft.copilot
Microsoft Excel: Microsoft Office Excel
Microsoft OneDrive: com.microsoft.skydrive, OneDrive
Microsoft OneNote: Microsoft Office OneNote
Microsoft Outlook: Outlook, com.microsoft.office.outlook, Microsoft Office Outlook, Outlook-iOS, \
Outlook-Android
Microsoft PowerPoint: Microsoft Office PowerPoint
Microsoft Teams: Teams, TeamsMobile-Android, TeamsMobile-iOS
Microsoft To Do: com.microsoft.todos
Microsoft Word: Microsoft Office Word
MSN: com.microsoft.bingnews, com.microsoft.amp.apps.bingnews
Naver: NAVER
Netflix: com.netflix
NetFront: NetFront NX
Nokia Browser: NokiaBrowser, Nokia OSS Browser, Nokia Services (WAP) Browser, Ovi Browser
Norton Private Browser: Norton, Norton Secure Browser
Notion
NPR One: nprone, NPROne
Obigo: Teleca Browser, TelecaBrowser
Odyssey: OWB
Odnoklassniki: OKAndroid, OKiOS
OkHttp: okhttp3, network-okhttp3
Openwave: UP.Browser, Open Wave
Orbot: org.torproject.android
Opera: Opera Mobile, Opera Tablet, Opera Next, OPR, OPT, OPX, OPiOS, OperaMobile
Opera GX
Opera Mini: Opera Mini Android, Opera Mini iOS
Opera News: com.opera.app.news, com.opera.app.newslite
Opera Touch
PayPal: com.paypal
Pinterest
PlayStation Browser: NetFront NX PlayStation
Presearch
Puffin: com.cloudmosa
QQ
QQ Browser: com.tencent.mtt, MQQBrowser, QQ Browser Mobile, QQ Browser Mini, QQBrowser, \
QQBrowserLite
Quark
Reddit: com.reddit
Safari: Mobile Safari, Mobile Safari UI/WKWebView, WebKit Nightly
Samsung Email: com.samsung.android.email
Samsung Internet: SamsungBrowser, com.sec.android.app.sbrowser
Seznam Browser: SznProhlizec, Seznam prohlížeč
SHEIN: com.zzkko
Signal: org.thoughtcrime.securesms, Signal-Android, Signal-iOS, Signal-Desktop
Silk: Amazon Silk
Skype
Slack: Slack_SSB, Slack Desktop Client, com.tinyspeck.chatlyio
Snapchat
Sogou Browser: SogouMSE, SogouMobileBrowser, Sogou Explorer, SE 2.X, MetaSr
Sogou Search: SogouSearch
Sonos
Spotify
Steam: com.valvesoftware.android.steam
Telegram: Telegram-Android
Tencent Docs: TencentDocs
TeraBox: com.dubox
The New York Times: nyt, NYTimes, com.nytimes.android
Threads: Barcelona
Thunderbird
TikTok: com.zhiliaoapp.musically, com.ss.android.ugc.trill, musical_ly, BytedanceWebview, trill, \
TikTok Lite
TIM: com.tencent.tim
Tor Browser: org.torproject.torbrowser
Twitch: tv.twitch
Uber: UberCab
UC Browser: UCBrowser, UCWEB, UCMobile, com.UCMobile, com.uc.browser
uTorrent: BTWebClient
Viasat Browser: Sparrow Browser
Viber
Vivaldi
VK: VKAndroidApp, com.vkontakte.android, com.vk.vkclient
vivo Browser: VivoBrowser
WatchFree+: WatchFree
WeChat: MicroMessenger, com.tencent.mm, WeChat Browser
WeCom: wxwork, com.tencent.wework
Whale: Naver Whale
WhatsApp: whatsapp-app, whatsapp-linux-app, GBWhatsApp, WhatsApp Desktop
X: Twitter, Twitter for iPhone, Twitter Android
Yahoo Mail: YahooMobileMail
Yahoo Messenger: YahooMobileMessenger
Yahoo! Japan: YJApp-ANDROID, YJApp-IOS, jp.co.yahoo.android.yjtop
Yandex Browser: Yandex, YaBrowser, Yowser, YaApp_Android, YaSearchBrowser, YaSearchApp, \
YandexSearch
YouTube
YouTube Music: com.google.android.apps.youtube.music, com.google.ios.youtubemusic
Zoom: ZoomWebKit, zoom.us
""")

PRODUCTS: Final = {**TOOL_NAMES, **_APPS}

# Families that tell the engine or the network stack and leave open which program it is.
ENGINES: Final = folded(
    """Android, Apple Mail, Apple Watch App, CFNetwork, Chrome, Chrome Mobile, Chrome Mobile
    iOS, Chrome Mobile WebView, Crosswalk, curl, Edge WebView, Electron, HbbTV, HTTPClient,
    Java, libcurl, Mobile Safari, Mobile Safari UI/WKWebView, NetCast Smart TV, NetFront,
    OkHttp, Other, Python Requests, Qt Web Engine, Safari, Samsung Internet, SmartTV
    WebBrowser, WebKit Nightly, WMPlayer"""
)

# Products that engines, webviews, network stacks and systems add; none of them names the program.
PLUMBING: Final = folded(
    """ABI, AFNetworking, Alamofire, AmazonWebAppPlatform, Android, AppleNews, ApplelWebkit,
    AppleWebKit, AppVersion, ArkWeb, Build, CE-HTML, CentOS, CFNetwork, Chrome, Chromium, CLDC,
    compatible, Configuration, cordova, cordova-amazon-fireos, CPython, CriOS, CrKey, CrMo,
    Cronet, Crosswalk, Dalvik, Darwin, Debian, EdgW, Electron, ExoPlayer, ExoPlayerLib, Fedora,
    Firefox, FVC, Gecko, Gentoo, GnuTLS, GoogleWv, gzip, HbbTV, Html5Plus, iOS, iPad, iPadOS, iPhone,
    iPod, Java, KAIOS, KHTML, Kubuntu, Language, libcurl, libidn, like, Linux, Macintosh,
    ManagedBrowser, MIDP, Mint, MinuteMaid, MMS, MMWEBID, MMWEBSDK, Mobile, Model, Monazilla,
    Mozilla, NetType, Node, NSS, OMI, OpenSSL, Opera, PHP, Presto, Process, Profile, Python,
    QtWebEngine, Red Hat, Release, Ruby, Safari, SamsungBrowser, Slackware, SmartTV, SmartTvA,
    statusBarHeightDp, SUSE, SVN, SWV, T5, T7, TBS, Trident, U2, Ubuntu, UCBS, UNTRUSTED, UPnP, URL,
    UWS, Version, VIDAA, VizioOS, ViziOS, WebAppManager, WebKit, WebView, WebViewApp,
    WeChatLib, Windows, XWEB, zlib"""
)

# Stacks that an app talks through when it does not name itself.
STACKS: Final = folded(
    "Alamofire, Android Browser, Apache HTTP Client, CFNetwork, Dalvik, Dart, Darwin, OkHttp"
)

# Mainboards of Chromebooks: an Android app on one states its board as the model.
CHROMEBOOKS: Final = folded(
    """asuka, atlas, asurada, auron, banon, bob, brask, brox, brya, caroline, cave, celes,
    cherry, chell, clapper, coral, corsola, cyan, dedede, drallion, edgar, elm, endeavour, eve,
    expresso, fizz, geralt, grunt, guybrush, hana, hatch, jacuzzi, kalista, kefka, kevin,
    kukui, lars, nami, nautilus, nissa, nocturne, octopus, poppy, puff, pyro, rammus, rauru,
    reef, reks, relm, rex, samus, sarien, scarlet, sentry, setzer, skyrim, snappy, soraka,
    staryu, strongbad, terra, trogdor, ultima, veyron, volteer, wizpig, zork"""
)
