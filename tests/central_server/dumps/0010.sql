-- A centre as schema 0010 left it: readings as rows, a bill made of them, and one batch that is not expanded.
BEGIN TRANSACTION;
CREATE TABLE account (
	id INTEGER NOT NULL, 
	login VARCHAR(64) NOT NULL, 
	name TEXT NOT NULL, 
	password_hash TEXT NOT NULL, 
	language VARCHAR(8) NOT NULL, 
	is_disabled BOOLEAN NOT NULL, 
	created_at BIGINT NOT NULL, role VARCHAR(32), site_id INTEGER CONSTRAINT fk_account_site_id_site REFERENCES site (id), person_id INTEGER CONSTRAINT fk_account_person_id_person REFERENCES person (id), must_change BOOLEAN, secret_until BIGINT, 
	CONSTRAINT pk_account PRIMARY KEY (id), 
	CONSTRAINT uq_account_login UNIQUE (login)
);
CREATE TABLE alarm (
	id INTEGER NOT NULL, 
	"key" VARCHAR(255) NOT NULL, 
	gateway_id INTEGER, 
	subject VARCHAR(128) NOT NULL, 
	condition VARCHAR(64) NOT NULL, 
	priority INTEGER NOT NULL, 
	raised_at BIGINT NOT NULL, 
	cleared_at BIGINT, 
	acknowledged_at BIGINT, 
	acknowledged_by TEXT, 
	detail TEXT NOT NULL, site_id INTEGER CONSTRAINT fk_alarm_site_id_site REFERENCES site (id), gone_at BIGINT, 
	CONSTRAINT pk_alarm PRIMARY KEY (id), 
	CONSTRAINT fk_alarm_gateway_id_gateway FOREIGN KEY(gateway_id) REFERENCES gateway (id), 
	CONSTRAINT uq_alarm_key UNIQUE ("key")
);
INSERT INTO "alarm" VALUES(1,'gw-1/device:em-1/device_offline/1793462400000',1,'device:em-1','device_offline',2,1793462400000,NULL,NULL,NULL,'{"error": "no answer"}',1,NULL);
CREATE TABLE alarm_note (
	id INTEGER NOT NULL, 
	alarm_id INTEGER NOT NULL, 
	at BIGINT NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	account_id INTEGER, 
	login VARCHAR(64) NOT NULL, 
	name TEXT NOT NULL, 
	text BLOB, 
	CONSTRAINT pk_alarm_note PRIMARY KEY (id), 
	CONSTRAINT fk_alarm_note_alarm_id_alarm FOREIGN KEY(alarm_id) REFERENCES alarm (id), 
	CONSTRAINT fk_alarm_note_account_id_account FOREIGN KEY(account_id) REFERENCES account (id)
);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0010');
CREATE TABLE audit (
	id INTEGER NOT NULL, 
	at BIGINT NOT NULL, 
	account_id INTEGER, 
	login VARCHAR(64) NOT NULL, 
	role VARCHAR(32) NOT NULL, 
	peer VARCHAR(64) NOT NULL, 
	action VARCHAR(64) NOT NULL, 
	subject VARCHAR(128) NOT NULL, 
	outcome VARCHAR(16) NOT NULL, 
	detail TEXT NOT NULL, 
	prev_hash VARCHAR(64) NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_audit PRIMARY KEY (id), 
	CONSTRAINT fk_audit_account_id_account FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT uq_audit_hash UNIQUE (hash)
);
INSERT INTO "audit" VALUES(1,1795468214437,NULL,'desk','','','bills.issue','run:1','done','{"bills": 1, "period": "2026-11", "site": "lake", "total_fen": 58480}','0000000000000000000000000000000000000000000000000000000000000000','3bbf9a8eda8d647fa60f8bdfad69d0dc26de1e106643529c61e4ef55e75aaaf4');
CREATE TABLE batch (
	id INTEGER NOT NULL, 
	gateway_id INTEGER NOT NULL, 
	epoch VARCHAR(20) NOT NULL, 
	lane INTEGER NOT NULL, 
	first_seq BIGINT NOT NULL, 
	last_seq BIGINT NOT NULL, 
	from_seq BIGINT NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	received_at BIGINT NOT NULL, 
	expanded_at BIGINT, 
	error TEXT, 
	body BLOB NOT NULL, 
	CONSTRAINT pk_batch PRIMARY KEY (id), 
	CONSTRAINT fk_batch_gateway_id_gateway FOREIGN KEY(gateway_id) REFERENCES gateway (id), 
	CONSTRAINT uq_batch_gateway_id_epoch_lane_from_seq UNIQUE (gateway_id, epoch, lane, from_seq)
);
INSERT INTO "batch" VALUES(1,1,'9223372036854775808',2,1,4,1,'dceb22a2f50af70bfb40bbf0822393981783120ef29438634e54ea771a5228d1',1795468214284,1796140800000,NULL,X'47484233DCEB22A2F50AF70BFB40BBF0822393981783120EF29438634E54EA771A5228D1000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000005B0000007B2265646765223A2267772D31222C2265706F6368223A393232333337323033363835343737353830382C226C616E65223A322C226669727374223A312C226C617374223A342C22636F756E74223A342C2270726576223A22227D28B52FFD20973D03004405270000005B5B22656D2D31222C22656E65726779496D706F7274546F74616C222C226B5768222C2D325D5D080020E82E2E2E6093939325020202430000000384B0B0B04E04040400020000007B7D5B5D00000000060029A1781200579F47F55DC9B71B2803');
INSERT INTO "batch" VALUES(2,1,'9223372036854775808',2,5,9,5,'94912344297a164bda7ad80d76f1fc8f8c2c62abe4152568d3bf4e82b2b6357d',1795468214288,1796140800000,NULL,X'4748423394912344297A164BDA7AD80D76F1FC8F8C2C62ABE4152568D3BF4E82B2B6357D000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000005B0000007B2265646765223A2267772D31222C2265706F6368223A393232333337323033363835343737353830382C226C616E65223A322C226669727374223A352C226C617374223A392C22636F756E74223A352C2270726576223A22227D28B52FFD20CFBD0300D4054C0000005B5B22656D2D31222C22656E65726779496D706F7274546F74616C222C226B5768222C2D325D2C305D5D0A00010028582E2E2EDBFA939393DE390202020943030004B0B0B00074040404000581020000007B7D5B5D00000000090029C156B28B137C6A05B8C36E86E542066ED34B8E2A03');
INSERT INTO "batch" VALUES(3,1,'9223372036854775808',2,10,14,10,'0ceaf98845de55428f77a6c6b6d07f85a4e0c9b01397bd77e57eb874761c01bb',1795468214290,1796140800000,NULL,X'474842330CEAF98845DE55428F77A6C6B6D07F85A4E0C9B01397BD77E57EB874761C01BB000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000005D0000007B2265646765223A2267772D31222C2265706F6368223A393232333337323033363835343737353830382C226C616E65223A322C226669727374223A31302C226C617374223A31342C22636F756E74223A352C2270726576223A22227D28B52FFD20CFC50300D4054C0000005B5B22656D2D31222C22656E65726779496D706F7274546F74616C222C226B5768222C2D325D2C32305D5D0A00010028A02E2E2E00AD939393002F0202020043030044B0B0B00E610404040005020000007B7D5B5D000000000A0029A158888B137C6A05B8C36E86E542066E53C06CE9527A');
INSERT INTO "batch" VALUES(4,1,'9223372036854775808',2,15,18,15,'a470059ad1b8f4bda9f7344e53be90aebccc9039ad36ab7e56662cd68a8eb2fd',1795468214293,1796140800000,NULL,X'47484233A470059AD1B8F4BDA9F7344E53BE90AEBCCC9039AD36AB7E56662CD68A8EB2FD000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000005D0000007B2265646765223A2267772D31222C2265706F6368223A393232333337323033363835343737353830382C226C616E65223A322C226669727374223A31352C226C617374223A31382C22636F756E74223A342C2270726576223A22227D28B52FFD20973D03002405270000005B5B22656D2D31222C22656E65726779496D706F7274546F74616C222C226B5768222C2D325D5D080020C02E2E2E1193939350020202440000000344B0B0B06E0404040200047B7D5B5D0000000007002981438558C92E4E418FEABB926F375006');
INSERT INTO "batch" VALUES(5,1,'9223372036854775808',2,15,19,19,'9817c887cca341531f04a4d250f77e1b7cedcc59622f1747ef9889ff4000e27a',1795468214306,1796140800000,NULL,X'474842339817C887CCA341531F04A4D250F77E1B7CEDCC59622F1747EF9889FF4000E27A000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000005D0000007B2265646765223A2267772D31222C2265706F6368223A393232333337323033363835343737353830382C226C616E65223A322C226669727374223A31352C226C617374223A31392C22636F756E74223A352C2270726576223A22227D28B52FFD20AA6D03006405270000005B5B22656D2D31222C22656E65726779496D706F7274546F74616C222C226B5768222C2D325D5D0A0028FEC02E2E2E2D1193939393500202020244030044B0B0B04E6E0404040C0200057B7D5B5D00000000080029814A8560212E8E494F0D8E93ED8A7BCB8132');
INSERT INTO "batch" VALUES(6,1,'9223372036854775808',0,1,1,1,'4c6238cb7b6a37fd2cd3d06afa9586f366d1f876bd37be60a620b34ff95bf582',1795468214310,1796140800000,NULL,X'474842334C6238CB7B6A37FD2CD3D06AFA9586F366D1F876BD37BE60A620B34FF95BF582000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000005B0000007B2265646765223A2267772D31222C2265706F6368223A393232333337323033363835343737353830382C226C616E65223A302C226669727374223A312C226C617374223A312C22636F756E74223A312C2270726576223A22227D28B52FFD20E4FD040062492025A0A5E9FFFF8F56555520E4A3CD2DB3DDCDE55822DB36AA1F421630D196AC163192FF4BA00C9999CB4251EF95A2D702F05DDFB07B3FE91F6E11D103446EC88DF8BADB885B5FBFB1C5E8EBD73FC891DD83CDD78F7DFC380E640E664887EB1D33D31224082119180A6C9D19D0EA369C58F775A8DBD3AE045053565566168B9299450A005B4CE0382557AF8EBCE4059599484D032E4850E1358365802F');
INSERT INTO "batch" VALUES(7,2,'1',2,1,1,1,'66c6584dc5719b404860cb7b867e389e07276d1e11df0ea80faa6065804dee69',1796058000000,1796058000000,NULL,X'4748423366C6584DC5719B404860CB7B867E389E07276D1E11DF0EA80FAA6065804DEE69000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000004D0000007B2265646765223A226D616E75616C2D31222C2265706F6368223A312C226C616E65223A322C226669727374223A312C226C617374223A312C22636F756E74223A312C2270726576223A22227D28B52FFD205E9D0200F403270000005B5B22656D2D31222C22656E65726779496D706F7274546F74616C222C226B5768222C2D315D5D020008785E5A4403F64000017B7D5B5D000000000700298146454009ACF3E2975194600D801E');
INSERT INTO "batch" VALUES(8,1,'9223372036854775808',2,20,20,20,'b119a1ca26926bccff0b8e8f36a1e378e43b645271f052f6bce3583cc7c753ae',1795468214446,NULL,NULL,X'47484233B119A1CA26926BCCFF0B8E8F36A1E378E43B645271F052F6BCE3583CC7C753AE000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000005D0000007B2265646765223A2267772D31222C2265706F6368223A393232333337323033363835343737353830382C226C616E65223A322C226669727374223A32302C226C617374223A32302C22636F756E74223A312C2270726576223A22227D28B52FFD205D950200E403260000005B5B22656D2D31222C22656E65726779496D706F7274546F74616C222C226B5768222C305D5D020008A6F15C4403900600017B7D5B5D000000000700298146454009ACF3E2975194600C801E');
CREATE TABLE bill (
	id INTEGER NOT NULL, 
	number VARCHAR(32) NOT NULL, 
	run_id INTEGER NOT NULL, 
	unit_id INTEGER NOT NULL, 
	period VARCHAR(7) NOT NULL, 
	from_at BIGINT NOT NULL, 
	through_at BIGINT NOT NULL, 
	due_on VARCHAR(10) NOT NULL, 
	total_fen BIGINT NOT NULL, 
	issued_at BIGINT NOT NULL, owner_name BLOB, 
	CONSTRAINT pk_bill PRIMARY KEY (id), 
	CONSTRAINT fk_bill_run_id_bill_run FOREIGN KEY(run_id) REFERENCES bill_run (id), 
	CONSTRAINT fk_bill_unit_id_unit FOREIGN KEY(unit_id) REFERENCES unit (id), 
	CONSTRAINT uq_bill_number UNIQUE (number)
);
INSERT INTO "bill" VALUES(1,'B-2026-11-0001',1,1,'2026-11',1793462400000,1796054400000,'2026-12-16',58480,1796086800000,X'01630DCD29655F0EC6E4EA53BA840E6CD33C34EF3D1528711291BCFCB72FE1515C');
CREATE TABLE bill_line (
	id INTEGER NOT NULL, 
	bill_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	metering_point_id INTEGER, 
	description_key VARCHAR(64) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	quantity TEXT NOT NULL, 
	unit VARCHAR(16) NOT NULL, 
	unit_price TEXT, 
	amount_fen BIGINT NOT NULL, 
	opening_at BIGINT, 
	closing_at BIGINT, 
	trace TEXT NOT NULL, 
	source_key VARCHAR(128), 
	CONSTRAINT pk_bill_line PRIMARY KEY (id), 
	CONSTRAINT uq_bill_line_metering_point_id_opening_at UNIQUE (metering_point_id, opening_at), 
	CONSTRAINT fk_bill_line_bill_id_bill FOREIGN KEY(bill_id) REFERENCES bill (id), 
	CONSTRAINT fk_bill_line_metering_point_id_metering_point FOREIGN KEY(metering_point_id) REFERENCES metering_point (id), 
	CONSTRAINT uq_bill_line_source_key UNIQUE (source_key)
);
INSERT INTO "bill_line" VALUES(1,1,1,1,'electricity','metered','731.00','kWh','0.80',58480,1793462400000,1796054400000,'{"closing":{"at":"2026-11-30T16:00:00.000Z","batch":{"digest":"66c6584dc5719b404860cb7b867e389e07276d1e11df0ea80faa6065804dee69","epoch":"1","gateway":"manual-1","lane":"billing","seq":1},"quality":"good","source":"reading","unit":"kWh","value":"831.5"},"components":[],"consumption":"731.00","meter":{"device":"em-1","gateway":"gw-1","name":"em-1"},"multiplier":"1","notes":[],"opening":{"at":"2026-10-31T16:00:00.000Z","batch":{"digest":"dceb22a2f50af70bfb40bbf0822393981783120ef29438634e54ea771a5228d1","epoch":"9223372036854775808","gateway":"gw-1","lane":"billing","seq":1},"quality":"good","source":"reading","unit":"kWh","value":"100.50"},"register":"energyImportTotal","rounding":{"exact":"584.8000","rounded":"584.80","rule":"half-up, once, to the fen; parts by largest remainder"},"tariff":{"code":"flat-electricity","digest":"b4d4ea41364228362ae45bcdd27689af50a6059d1dc7cec2954cbdd96cea2ba9","kind":"flat","name":{"en":"Electricity, one price","zh":"用电(单一电价)"},"source":"Example price; set your own","version":"2020-01-01"},"tier_period":null,"tiers":[{"amount":"584.80","exact":"584.8000","from":"0","price":"0.80","quantity":"731.00","to":null}],"total":"584.80","unit":"kWh","used_before":null}',NULL);
CREATE TABLE bill_run (
	id INTEGER NOT NULL, 
	site_id INTEGER NOT NULL, 
	period VARCHAR(7) NOT NULL, 
	through_at BIGINT NOT NULL, 
	created_at BIGINT NOT NULL, 
	created_by TEXT NOT NULL, 
	input_hash VARCHAR(64) NOT NULL, 
	output_hash VARCHAR(64) NOT NULL, 
	totals TEXT NOT NULL, 
	CONSTRAINT pk_bill_run PRIMARY KEY (id), 
	CONSTRAINT fk_bill_run_site_id_site FOREIGN KEY(site_id) REFERENCES site (id)
);
INSERT INTO "bill_run" VALUES(1,1,'2026-11',1796054400000,1796086800000,'desk','48780c53846bb6ceed671df8dae1f1b61f4db4475f8cb1ad8bd26ddcb3db3da9','64db25894ade25f090f4ebb666272db1c7313657380efb1e3dfe6f2be0cbd671','{"bills":1,"lines":1,"metered":{"kwh":"731.00","m3":"0"},"parked":[],"total_fen":58480}');
CREATE TABLE building (
	id INTEGER NOT NULL, 
	site_id INTEGER NOT NULL, 
	code VARCHAR(64) NOT NULL, 
	name TEXT NOT NULL, 
	CONSTRAINT pk_building PRIMARY KEY (id), 
	CONSTRAINT fk_building_site_id_site FOREIGN KEY(site_id) REFERENCES site (id), 
	CONSTRAINT uq_building_site_id_code UNIQUE (site_id, code)
);
INSERT INTO "building" VALUES(1,1,'1','1');
CREATE TABLE certificate (
	serial VARCHAR(40) NOT NULL, 
	gateway_id INTEGER NOT NULL, 
	issued_at BIGINT NOT NULL, 
	expires_at BIGINT NOT NULL, 
	revoked_at BIGINT, 
	CONSTRAINT pk_certificate PRIMARY KEY (serial), 
	CONSTRAINT fk_certificate_gateway_id_gateway FOREIGN KEY(gateway_id) REFERENCES gateway (id)
);
CREATE TABLE charge (
	id INTEGER NOT NULL, 
	"key" VARCHAR(128) NOT NULL, 
	site_id INTEGER NOT NULL, 
	unit_id INTEGER NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	description TEXT NOT NULL, 
	amount_fen BIGINT NOT NULL, 
	period VARCHAR(7) NOT NULL, 
	trace TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_charge PRIMARY KEY (id), 
	CONSTRAINT uq_charge_key UNIQUE ("key"), 
	CONSTRAINT fk_charge_site_id_site FOREIGN KEY(site_id) REFERENCES site (id), 
	CONSTRAINT fk_charge_unit_id_unit FOREIGN KEY(unit_id) REFERENCES unit (id)
);
CREATE TABLE check_answer (
	id INTEGER NOT NULL, 
	task_point_id INTEGER NOT NULL, 
	check_item_id INTEGER NOT NULL, 
	value TEXT NOT NULL, 
	is_failed BOOLEAN NOT NULL, 
	order_id INTEGER, 
	CONSTRAINT pk_check_answer PRIMARY KEY (id), 
	CONSTRAINT uq_check_answer_task_point_id_check_item_id UNIQUE (task_point_id, check_item_id), 
	CONSTRAINT fk_check_answer_task_point_id_task_point FOREIGN KEY(task_point_id) REFERENCES task_point (id), 
	CONSTRAINT fk_check_answer_check_item_id_check_item FOREIGN KEY(check_item_id) REFERENCES check_item (id)
);
CREATE TABLE check_item (
	id INTEGER NOT NULL, 
	checkpoint_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	title TEXT NOT NULL, 
	unit VARCHAR(16) NOT NULL, 
	low TEXT, 
	high TEXT, 
	metering_point_id INTEGER, 
	is_required BOOLEAN NOT NULL, 
	created_at BIGINT NOT NULL, 
	retired_at BIGINT, 
	CONSTRAINT pk_check_item PRIMARY KEY (id), 
	CONSTRAINT fk_check_item_checkpoint_id_checkpoint FOREIGN KEY(checkpoint_id) REFERENCES checkpoint (id), 
	CONSTRAINT fk_check_item_metering_point_id_metering_point FOREIGN KEY(metering_point_id) REFERENCES metering_point (id)
);
CREATE TABLE checkpoint (
	id INTEGER NOT NULL, 
	site_id INTEGER NOT NULL, 
	building_id INTEGER, 
	equipment_id INTEGER, 
	code VARCHAR(64) NOT NULL, 
	name TEXT NOT NULL, 
	place TEXT NOT NULL, 
	secret VARCHAR(32) NOT NULL, 
	is_retired BOOLEAN NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_checkpoint PRIMARY KEY (id), 
	CONSTRAINT uq_checkpoint_site_id_code UNIQUE (site_id, code), 
	CONSTRAINT fk_checkpoint_site_id_site FOREIGN KEY(site_id) REFERENCES site (id), 
	CONSTRAINT fk_checkpoint_building_id_building FOREIGN KEY(building_id) REFERENCES building (id), 
	CONSTRAINT fk_checkpoint_equipment_id_equipment FOREIGN KEY(equipment_id) REFERENCES equipment (id), 
	CONSTRAINT uq_checkpoint_secret UNIQUE (secret)
);
CREATE TABLE consent (
	id INTEGER NOT NULL, 
	person_id INTEGER NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	wording INTEGER NOT NULL, 
	given_at BIGINT NOT NULL, 
	withdrawn_at BIGINT, 
	CONSTRAINT pk_consent PRIMARY KEY (id), 
	CONSTRAINT fk_consent_person_id_person FOREIGN KEY(person_id) REFERENCES person (id)
);
CREATE TABLE credential (
	id INTEGER NOT NULL, 
	site_id INTEGER NOT NULL, 
	person_id INTEGER NOT NULL, 
	basis VARCHAR(16) NOT NULL, 
	bits INTEGER NOT NULL, 
	number BLOB NOT NULL, 
	number_index VARCHAR(32) NOT NULL, 
	active_key VARCHAR(64), 
	from_on VARCHAR(10), 
	to_on VARCHAR(10), 
	created_at BIGINT NOT NULL, 
	created_by VARCHAR(64) NOT NULL, 
	revoked_at BIGINT, 
	revoked_by VARCHAR(64), 
	CONSTRAINT pk_credential PRIMARY KEY (id), 
	CONSTRAINT fk_credential_site_id_site FOREIGN KEY(site_id) REFERENCES site (id), 
	CONSTRAINT fk_credential_person_id_person FOREIGN KEY(person_id) REFERENCES person (id), 
	CONSTRAINT uq_credential_active_key UNIQUE (active_key)
);
CREATE TABLE credential_grant (
	id INTEGER NOT NULL, 
	credential_id INTEGER NOT NULL, 
	group_id INTEGER NOT NULL, 
	schedule_id INTEGER, 
	CONSTRAINT pk_credential_grant PRIMARY KEY (id), 
	CONSTRAINT uq_credential_grant_credential_id_group_id UNIQUE (credential_id, group_id), 
	CONSTRAINT fk_credential_grant_credential_id_credential FOREIGN KEY(credential_id) REFERENCES credential (id), 
	CONSTRAINT fk_credential_grant_group_id_door_group FOREIGN KEY(group_id) REFERENCES door_group (id), 
	CONSTRAINT fk_credential_grant_schedule_id_door_schedule FOREIGN KEY(schedule_id) REFERENCES door_schedule (id)
);
CREATE TABLE device (
	id INTEGER NOT NULL, 
	gateway_id INTEGER NOT NULL, 
	code VARCHAR(64) NOT NULL, 
	name TEXT NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	bus VARCHAR(64) NOT NULL, 
	profile VARCHAR(128) NOT NULL, 
	address VARCHAR(64) NOT NULL, 
	first_seen_at BIGINT NOT NULL, 
	CONSTRAINT pk_device PRIMARY KEY (id), 
	CONSTRAINT fk_device_gateway_id_gateway FOREIGN KEY(gateway_id) REFERENCES gateway (id), 
	CONSTRAINT uq_device_gateway_id_code UNIQUE (gateway_id, code)
);
INSERT INTO "device" VALUES(1,1,'em-1','em-1','','','','',1796140800000);
INSERT INTO "device" VALUES(2,1,'em-2','em-2','','','','',1796140800000);
CREATE TABLE door (
	device_id INTEGER NOT NULL, 
	building_id INTEGER, 
	pulse_ms INTEGER NOT NULL, 
	held_open_s INTEGER NOT NULL, 
	CONSTRAINT pk_door PRIMARY KEY (device_id), 
	CONSTRAINT fk_door_device_id_device FOREIGN KEY(device_id) REFERENCES device (id), 
	CONSTRAINT fk_door_building_id_building FOREIGN KEY(building_id) REFERENCES building (id)
);
CREATE TABLE door_decision (
	id INTEGER NOT NULL, 
	decision_id VARCHAR(128) NOT NULL, 
	site_id INTEGER NOT NULL, 
	gateway_id INTEGER NOT NULL, 
	device_id INTEGER, 
	door_code VARCHAR(64) NOT NULL, 
	at BIGINT NOT NULL, 
	is_granted BOOLEAN NOT NULL, 
	reason VARCHAR(32) NOT NULL, 
	credential_id INTEGER, 
	person_id INTEGER, 
	card_bits INTEGER, 
	card_number BLOB, 
	card_index VARCHAR(32), 
	rules_version BIGINT, 
	is_offline BOOLEAN NOT NULL, 
	"by" VARCHAR(64), 
	CONSTRAINT pk_door_decision PRIMARY KEY (id), 
	CONSTRAINT uq_door_decision_decision_id UNIQUE (decision_id), 
	CONSTRAINT fk_door_decision_site_id_site FOREIGN KEY(site_id) REFERENCES site (id), 
	CONSTRAINT fk_door_decision_gateway_id_gateway FOREIGN KEY(gateway_id) REFERENCES gateway (id), 
	CONSTRAINT fk_door_decision_device_id_device FOREIGN KEY(device_id) REFERENCES device (id), 
	CONSTRAINT fk_door_decision_credential_id_credential FOREIGN KEY(credential_id) REFERENCES credential (id), 
	CONSTRAINT fk_door_decision_person_id_person FOREIGN KEY(person_id) REFERENCES person (id)
);
CREATE TABLE door_group (
	id INTEGER NOT NULL, 
	site_id INTEGER NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_door_group PRIMARY KEY (id), 
	CONSTRAINT uq_door_group_site_id_name UNIQUE (site_id, name), 
	CONSTRAINT fk_door_group_site_id_site FOREIGN KEY(site_id) REFERENCES site (id)
);
CREATE TABLE door_group_member (
	group_id INTEGER NOT NULL, 
	device_id INTEGER NOT NULL, 
	CONSTRAINT pk_door_group_member PRIMARY KEY (group_id, device_id), 
	CONSTRAINT fk_door_group_member_group_id_door_group FOREIGN KEY(group_id) REFERENCES door_group (id), 
	CONSTRAINT fk_door_group_member_device_id_device FOREIGN KEY(device_id) REFERENCES device (id)
);
CREATE TABLE door_rules (
	gateway_id INTEGER NOT NULL, 
	version BIGINT NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	issued_at BIGINT NOT NULL, 
	body BLOB NOT NULL, 
	CONSTRAINT pk_door_rules PRIMARY KEY (gateway_id), 
	CONSTRAINT fk_door_rules_gateway_id_gateway FOREIGN KEY(gateway_id) REFERENCES gateway (id)
);
CREATE TABLE door_schedule (
	id INTEGER NOT NULL, 
	site_id INTEGER NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	windows TEXT NOT NULL, 
	holidays TEXT NOT NULL, 
	CONSTRAINT pk_door_schedule PRIMARY KEY (id), 
	CONSTRAINT uq_door_schedule_site_id_name UNIQUE (site_id, name), 
	CONSTRAINT fk_door_schedule_site_id_site FOREIGN KEY(site_id) REFERENCES site (id)
);
CREATE TABLE enrolment (
	gateway_id INTEGER NOT NULL, 
	code_hash VARCHAR(64) NOT NULL, 
	expires_at BIGINT NOT NULL, 
	request_hash VARCHAR(64), 
	CONSTRAINT pk_enrolment PRIMARY KEY (gateway_id), 
	CONSTRAINT fk_enrolment_gateway_id_gateway FOREIGN KEY(gateway_id) REFERENCES gateway (id), 
	CONSTRAINT uq_enrolment_code_hash UNIQUE (code_hash)
);
CREATE TABLE equipment (
	id INTEGER NOT NULL, 
	site_id INTEGER NOT NULL, 
	building_id INTEGER, 
	code VARCHAR(64) NOT NULL, 
	name TEXT NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	place TEXT NOT NULL, 
	device_id INTEGER, 
	installed_on VARCHAR(10), 
	is_retired BOOLEAN NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_equipment PRIMARY KEY (id), 
	CONSTRAINT uq_equipment_site_id_code UNIQUE (site_id, code), 
	CONSTRAINT fk_equipment_site_id_site FOREIGN KEY(site_id) REFERENCES site (id), 
	CONSTRAINT fk_equipment_building_id_building FOREIGN KEY(building_id) REFERENCES building (id), 
	CONSTRAINT fk_equipment_device_id_device FOREIGN KEY(device_id) REFERENCES device (id)
);
CREATE TABLE event (
	id INTEGER NOT NULL, 
	gateway_id INTEGER NOT NULL, 
	batch_id INTEGER NOT NULL, 
	seq BIGINT NOT NULL, 
	kind VARCHAR(64) NOT NULL, 
	subject VARCHAR(128) NOT NULL, 
	at BIGINT NOT NULL, 
	body TEXT NOT NULL, 
	CONSTRAINT pk_event PRIMARY KEY (id), 
	CONSTRAINT fk_event_batch_id_batch FOREIGN KEY(batch_id) REFERENCES batch (id), 
	CONSTRAINT fk_event_gateway_id_gateway FOREIGN KEY(gateway_id) REFERENCES gateway (id)
);
INSERT INTO "event" VALUES(1,1,6,1,'alarm','device:em-1',1793462400000,'{"alarm_id": "gw-1/device:em-1/device_offline/1793462400000", "condition": "device_offline", "state": "raised", "priority": 2, "detail": {"error": "no answer"}}');
CREATE TABLE gateway (
	id INTEGER NOT NULL, 
	edge_id VARCHAR(32) NOT NULL, 
	site_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	secret_hash VARCHAR(64) NOT NULL, 
	created_at BIGINT NOT NULL, 
	revoked_at BIGINT, 
	last_seen_at BIGINT, 
	status TEXT, sign_key VARCHAR(64), 
	CONSTRAINT pk_gateway PRIMARY KEY (id), 
	CONSTRAINT fk_gateway_site_id_site FOREIGN KEY(site_id) REFERENCES site (id), 
	CONSTRAINT uq_gateway_edge_id UNIQUE (edge_id)
);
INSERT INTO "gateway" VALUES(1,'gw-1',1,'gw-1','a48902368b6f2799833a70a672b68390c0dfa987ef191752c0bfd21db2d91d58',1795468214259,NULL,NULL,NULL,NULL);
INSERT INTO "gateway" VALUES(2,'manual-1',1,'manual-1','',1796058000000,1796058000000,NULL,NULL,NULL);
CREATE TABLE gateway_epoch (
	gateway_id INTEGER NOT NULL, 
	epoch VARCHAR(20) NOT NULL, 
	since BIGINT NOT NULL, 
	CONSTRAINT pk_gateway_epoch PRIMARY KEY (gateway_id, epoch), 
	CONSTRAINT fk_gateway_epoch_gateway_id_gateway FOREIGN KEY(gateway_id) REFERENCES gateway (id)
);
INSERT INTO "gateway_epoch" VALUES(1,'9223372036854775808',1795468214283);
CREATE TABLE gateway_key (
	gateway_id INTEGER NOT NULL, 
	sign_key VARCHAR(64) NOT NULL, 
	since BIGINT NOT NULL, 
	CONSTRAINT pk_gateway_key PRIMARY KEY (gateway_id, sign_key), 
	CONSTRAINT fk_gateway_key_gateway_id_gateway FOREIGN KEY(gateway_id) REFERENCES gateway (id)
);
CREATE TABLE gateway_series (
	gateway_id INTEGER NOT NULL, 
	epoch VARCHAR(20) NOT NULL, 
	number INTEGER NOT NULL, 
	device TEXT NOT NULL, 
	point TEXT NOT NULL, 
	unit TEXT NOT NULL, 
	CONSTRAINT pk_gateway_series PRIMARY KEY (gateway_id, epoch, number), 
	CONSTRAINT fk_gateway_series_gateway_id_gateway FOREIGN KEY(gateway_id) REFERENCES gateway (id)
);
CREATE TABLE inspection_plan (
	id INTEGER NOT NULL, 
	site_id INTEGER NOT NULL, 
	route_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	every_days INTEGER NOT NULL, 
	from_on VARCHAR(10) NOT NULL, 
	windows TEXT NOT NULL, 
	is_statutory BOOLEAN NOT NULL, 
	account_id INTEGER, 
	created_at BIGINT NOT NULL, 
	made_to_at BIGINT NOT NULL, 
	ended_at BIGINT, 
	CONSTRAINT pk_inspection_plan PRIMARY KEY (id), 
	CONSTRAINT fk_inspection_plan_site_id_site FOREIGN KEY(site_id) REFERENCES site (id), 
	CONSTRAINT fk_inspection_plan_route_id_inspection_route FOREIGN KEY(route_id) REFERENCES inspection_route (id), 
	CONSTRAINT fk_inspection_plan_account_id_account FOREIGN KEY(account_id) REFERENCES account (id)
);
CREATE TABLE inspection_route (
	id INTEGER NOT NULL, 
	site_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_inspection_route PRIMARY KEY (id), 
	CONSTRAINT fk_inspection_route_site_id_site FOREIGN KEY(site_id) REFERENCES site (id)
);
CREATE TABLE inspection_task (
	id INTEGER NOT NULL, 
	plan_id INTEGER NOT NULL, 
	site_id INTEGER NOT NULL, 
	account_id INTEGER, 
	slot VARCHAR(24) NOT NULL, 
	starts_at BIGINT NOT NULL, 
	ends_at BIGINT NOT NULL, 
	created_at BIGINT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	closed_at BIGINT, 
	CONSTRAINT pk_inspection_task PRIMARY KEY (id), 
	CONSTRAINT uq_inspection_task_plan_id_slot UNIQUE (plan_id, slot), 
	CONSTRAINT fk_inspection_task_plan_id_inspection_plan FOREIGN KEY(plan_id) REFERENCES inspection_plan (id), 
	CONSTRAINT fk_inspection_task_site_id_site FOREIGN KEY(site_id) REFERENCES site (id), 
	CONSTRAINT fk_inspection_task_account_id_account FOREIGN KEY(account_id) REFERENCES account (id)
);
CREATE TABLE installation (
	id INTEGER NOT NULL, 
	metering_point_id INTEGER NOT NULL, 
	device_id INTEGER, 
	edge_id VARCHAR(32) NOT NULL, 
	device_code VARCHAR(64) NOT NULL, 
	point VARCHAR(64) NOT NULL, 
	multiplier TEXT NOT NULL, 
	from_at BIGINT NOT NULL, 
	to_at BIGINT, 
	initial_mantissa BIGINT, 
	initial_exponent INTEGER, 
	CONSTRAINT pk_installation PRIMARY KEY (id), 
	CONSTRAINT fk_installation_device_id_device FOREIGN KEY(device_id) REFERENCES device (id), 
	CONSTRAINT fk_installation_metering_point_id_metering_point FOREIGN KEY(metering_point_id) REFERENCES metering_point (id), 
	CONSTRAINT uq_installation_metering_point_id_from_at UNIQUE (metering_point_id, from_at)
);
INSERT INTO "installation" VALUES(1,1,NULL,'gw-1','em-1','energyImportTotal','1',1793462400000,NULL,NULL,NULL);
CREATE TABLE lane_mark (
	gateway_id INTEGER NOT NULL, 
	epoch VARCHAR(20) NOT NULL, 
	lane INTEGER NOT NULL, 
	high_seq BIGINT NOT NULL, 
	CONSTRAINT pk_lane_mark PRIMARY KEY (gateway_id, epoch, lane), 
	CONSTRAINT fk_lane_mark_gateway_id_gateway FOREIGN KEY(gateway_id) REFERENCES gateway (id)
);
INSERT INTO "lane_mark" VALUES(1,'9223372036854775808',2,20);
INSERT INTO "lane_mark" VALUES(1,'9223372036854775808',0,1);
INSERT INTO "lane_mark" VALUES(2,'1',2,1);
CREATE TABLE latest (
	series_id INTEGER NOT NULL, 
	taken_at BIGINT NOT NULL, 
	mantissa BIGINT, 
	exponent INTEGER, 
	quality INTEGER NOT NULL, 
	batch_id INTEGER NOT NULL, 
	CONSTRAINT pk_latest PRIMARY KEY (series_id), 
	CONSTRAINT fk_latest_batch_id_batch FOREIGN KEY(batch_id) REFERENCES batch (id), 
	CONSTRAINT fk_latest_series_id_series FOREIGN KEY(series_id) REFERENCES series (id)
);
INSERT INTO "latest" VALUES(1,1796054400000,8315,-1,0,7);
INSERT INTO "latest" VALUES(2,1793548800000,7,0,0,3);
CREATE TABLE metering_point (
	id INTEGER NOT NULL, 
	unit_id INTEGER NOT NULL, 
	code VARCHAR(64) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	tariff VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_metering_point PRIMARY KEY (id), 
	CONSTRAINT fk_metering_point_unit_id_unit FOREIGN KEY(unit_id) REFERENCES unit (id), 
	CONSTRAINT uq_metering_point_code UNIQUE (code)
);
INSERT INTO "metering_point" VALUES(1,1,'e-101','electricity','flat-electricity');
CREATE TABLE notice (
	id INTEGER NOT NULL, 
	site_id INTEGER NOT NULL, 
	title TEXT NOT NULL, 
	body TEXT NOT NULL, 
	is_emergency BOOLEAN NOT NULL, 
	expires_at BIGINT, 
	created_at BIGINT NOT NULL, 
	created_by VARCHAR(64) NOT NULL, 
	published_at BIGINT, 
	published_by VARCHAR(64), 
	withdrawn_at BIGINT, 
	version INTEGER NOT NULL, 
	CONSTRAINT pk_notice PRIMARY KEY (id), 
	CONSTRAINT fk_notice_site_id_site FOREIGN KEY(site_id) REFERENCES site (id)
);
CREATE TABLE notice_building (
	notice_id INTEGER NOT NULL, 
	building_id INTEGER NOT NULL, 
	CONSTRAINT pk_notice_building PRIMARY KEY (notice_id, building_id), 
	CONSTRAINT fk_notice_building_notice_id_notice FOREIGN KEY(notice_id) REFERENCES notice (id), 
	CONSTRAINT fk_notice_building_building_id_building FOREIGN KEY(building_id) REFERENCES building (id)
);
CREATE TABLE notice_read (
	notice_id INTEGER NOT NULL, 
	account_id INTEGER NOT NULL, 
	person_id INTEGER NOT NULL, 
	read_at BIGINT NOT NULL, 
	CONSTRAINT pk_notice_read PRIMARY KEY (notice_id, account_id), 
	CONSTRAINT fk_notice_read_notice_id_notice FOREIGN KEY(notice_id) REFERENCES notice (id), 
	CONSTRAINT fk_notice_read_account_id_account FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT fk_notice_read_person_id_person FOREIGN KEY(person_id) REFERENCES person (id)
);
CREATE TABLE outbox (
	id INTEGER NOT NULL, 
	person_id INTEGER NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	body BLOB NOT NULL, 
	created_at BIGINT NOT NULL, 
	sent_at BIGINT, 
	CONSTRAINT pk_outbox PRIMARY KEY (id), 
	CONSTRAINT fk_outbox_person_id_person FOREIGN KEY(person_id) REFERENCES person (id)
);
CREATE TABLE ownership (
	id INTEGER NOT NULL, 
	unit_id INTEGER NOT NULL, 
	owner_id INTEGER NOT NULL, 
	from_on VARCHAR(10) NOT NULL, 
	to_on VARCHAR(10), 
	CONSTRAINT pk_ownership PRIMARY KEY (id), 
	CONSTRAINT uq_ownership_unit_id_owner_id_from_on UNIQUE (unit_id, owner_id, from_on), 
	CONSTRAINT fk_ownership_unit_id_unit FOREIGN KEY(unit_id) REFERENCES unit (id), 
	CONSTRAINT fk_ownership_owner_id_person FOREIGN KEY(owner_id) REFERENCES person (id)
);
CREATE TABLE parking_fees (
	site_id INTEGER NOT NULL, 
	period VARCHAR(7) NOT NULL, 
	made_at BIGINT NOT NULL, 
	CONSTRAINT pk_parking_fees PRIMARY KEY (site_id, period), 
	CONSTRAINT fk_parking_fees_site_id_site FOREIGN KEY(site_id) REFERENCES site (id)
);
CREATE TABLE parking_lease (
	id INTEGER NOT NULL, 
	place_id INTEGER NOT NULL, 
	unit_id INTEGER NOT NULL, 
	person_id INTEGER, 
	from_period VARCHAR(7) NOT NULL, 
	to_period VARCHAR(7), 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_parking_lease PRIMARY KEY (id), 
	CONSTRAINT fk_parking_lease_place_id_parking_place FOREIGN KEY(place_id) REFERENCES parking_place (id), 
	CONSTRAINT fk_parking_lease_unit_id_unit FOREIGN KEY(unit_id) REFERENCES unit (id), 
	CONSTRAINT fk_parking_lease_person_id_person FOREIGN KEY(person_id) REFERENCES person (id)
);
CREATE TABLE parking_place (
	id INTEGER NOT NULL, 
	site_id INTEGER NOT NULL, 
	code VARCHAR(64) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	spaces INTEGER NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_parking_place PRIMARY KEY (id), 
	CONSTRAINT uq_parking_place_site_id_code UNIQUE (site_id, code), 
	CONSTRAINT fk_parking_place_site_id_site FOREIGN KEY(site_id) REFERENCES site (id)
);
CREATE TABLE parking_price (
	id INTEGER NOT NULL, 
	place_id INTEGER NOT NULL, 
	from_period VARCHAR(7) NOT NULL, 
	month_fen BIGINT NOT NULL, 
	CONSTRAINT pk_parking_price PRIMARY KEY (id), 
	CONSTRAINT uq_parking_price_place_id_from_period UNIQUE (place_id, from_period), 
	CONSTRAINT fk_parking_price_place_id_parking_place FOREIGN KEY(place_id) REFERENCES parking_place (id)
);
CREATE TABLE payment (
	id INTEGER NOT NULL, 
	bill_id INTEGER NOT NULL, 
	amount_fen BIGINT NOT NULL, 
	method VARCHAR(16) NOT NULL, 
	is_online BOOLEAN NOT NULL, 
	reference VARCHAR(32) NOT NULL, 
	once_key VARCHAR(64) NOT NULL, 
	taken_at BIGINT NOT NULL, 
	taken_by VARCHAR(64) NOT NULL, 
	reverses_id INTEGER, 
	reason BLOB, 
	CONSTRAINT pk_payment PRIMARY KEY (id), 
	CONSTRAINT fk_payment_bill_id_bill FOREIGN KEY(bill_id) REFERENCES bill (id), 
	CONSTRAINT uq_payment_reference UNIQUE (reference), 
	CONSTRAINT uq_payment_once_key UNIQUE (once_key), 
	CONSTRAINT fk_payment_reverses_id_payment FOREIGN KEY(reverses_id) REFERENCES payment (id)
);
CREATE TABLE person (
	id INTEGER NOT NULL, 
	code VARCHAR(64) NOT NULL, 
	name BLOB NOT NULL, 
	name_index VARCHAR(32) NOT NULL, 
	phone BLOB, 
	phone_index VARCHAR(32), 
	phone4_index VARCHAR(32), 
	id_number BLOB, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_person PRIMARY KEY (id), 
	CONSTRAINT uq_person_code UNIQUE (code)
);
CREATE TABLE photo (
	id INTEGER NOT NULL, 
	ref VARCHAR(32) NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	kind_id INTEGER NOT NULL, 
	site_id INTEGER NOT NULL, 
	person_id INTEGER, 
	created_at BIGINT NOT NULL, 
	created_by VARCHAR(64) NOT NULL, 
	width INTEGER NOT NULL, 
	height INTEGER NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	body BLOB NOT NULL, 
	CONSTRAINT pk_photo PRIMARY KEY (id), 
	CONSTRAINT uq_photo_ref UNIQUE (ref), 
	CONSTRAINT fk_photo_site_id_site FOREIGN KEY(site_id) REFERENCES site (id), 
	CONSTRAINT fk_photo_person_id_person FOREIGN KEY(person_id) REFERENCES person (id)
);
CREATE TABLE reading (
	id INTEGER NOT NULL, 
	series_id INTEGER NOT NULL, 
	taken_at BIGINT NOT NULL, 
	mantissa BIGINT, 
	exponent INTEGER, 
	quality INTEGER NOT NULL, 
	batch_id INTEGER NOT NULL, 
	seq BIGINT NOT NULL, 
	CONSTRAINT pk_reading PRIMARY KEY (id), 
	CONSTRAINT fk_reading_batch_id_batch FOREIGN KEY(batch_id) REFERENCES batch (id), 
	CONSTRAINT fk_reading_series_id_series FOREIGN KEY(series_id) REFERENCES series (id)
);
INSERT INTO "reading" VALUES(1,1,1793462400000,10050,-2,0,1,1);
INSERT INTO "reading" VALUES(2,1,1793484000000,10650,-2,0,1,2);
INSERT INTO "reading" VALUES(3,1,1793505600000,11250,-2,0,1,3);
INSERT INTO "reading" VALUES(4,1,1793527200000,11850,-2,0,1,4);
INSERT INTO "reading" VALUES(5,1,1793635200000,14850,-2,0,2,5);
INSERT INTO "reading" VALUES(6,1,1793656800000,15450,-2,0,2,6);
INSERT INTO "reading" VALUES(7,1,1793678400000,16050,-2,0,2,7);
INSERT INTO "reading" VALUES(8,1,1793700000000,16650,-2,0,2,8);
INSERT INTO "reading" VALUES(9,1,1793718000000,NULL,NULL,1,2,9);
INSERT INTO "reading" VALUES(10,1,1793548800000,12450,-2,0,3,10);
INSERT INTO "reading" VALUES(11,1,1793570400000,13050,-2,0,3,11);
INSERT INTO "reading" VALUES(12,1,1793592000000,13650,-2,0,3,12);
INSERT INTO "reading" VALUES(13,1,1793613600000,14250,-2,0,3,13);
INSERT INTO "reading" VALUES(14,2,1793548800000,7,0,0,3,14);
INSERT INTO "reading" VALUES(15,1,1795968000000,79650,-2,0,4,15);
INSERT INTO "reading" VALUES(16,1,1795989600000,80250,-2,0,4,16);
INSERT INTO "reading" VALUES(17,1,1796011200000,80850,-2,0,4,17);
INSERT INTO "reading" VALUES(18,1,1796032800000,81450,-2,0,4,18);
INSERT INTO "reading" VALUES(19,1,1796054399999,83025,-2,0,5,19);
INSERT INTO "reading" VALUES(20,1,1796054400000,8315,-1,0,7,1);
CREATE TABLE route_point (
	id INTEGER NOT NULL, 
	route_id INTEGER NOT NULL, 
	checkpoint_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	CONSTRAINT pk_route_point PRIMARY KEY (id), 
	CONSTRAINT uq_route_point_route_id_checkpoint_id UNIQUE (route_id, checkpoint_id), 
	CONSTRAINT fk_route_point_route_id_inspection_route FOREIGN KEY(route_id) REFERENCES inspection_route (id), 
	CONSTRAINT fk_route_point_checkpoint_id_checkpoint FOREIGN KEY(checkpoint_id) REFERENCES checkpoint (id)
);
CREATE TABLE series (
	id INTEGER NOT NULL, 
	device_id INTEGER NOT NULL, 
	point VARCHAR(64) NOT NULL, 
	unit VARCHAR(16) NOT NULL, 
	CONSTRAINT pk_series PRIMARY KEY (id), 
	CONSTRAINT fk_series_device_id_device FOREIGN KEY(device_id) REFERENCES device (id), 
	CONSTRAINT uq_series_device_id_point_unit UNIQUE (device_id, point, unit)
);
INSERT INTO "series" VALUES(1,1,'energyImportTotal','kWh');
INSERT INTO "series" VALUES(2,2,'energyImportTotal','kWh');
CREATE TABLE session (
	id INTEGER NOT NULL, 
	token_hash VARCHAR(64) NOT NULL, 
	account_id INTEGER NOT NULL, 
	csrf VARCHAR(64) NOT NULL, 
	created_at BIGINT NOT NULL, 
	last_seen_at BIGINT NOT NULL, 
	expires_at BIGINT NOT NULL, 
	peer VARCHAR(64) NOT NULL, 
	ended_at BIGINT, 
	CONSTRAINT pk_session PRIMARY KEY (id), 
	CONSTRAINT fk_session_account_id_account FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT uq_session_token_hash UNIQUE (token_hash)
);
CREATE TABLE sign_in_code (
	id INTEGER NOT NULL, 
	account_id INTEGER NOT NULL, 
	code_hash VARCHAR(64) NOT NULL, 
	created_at BIGINT NOT NULL, 
	expires_at BIGINT NOT NULL, 
	tries INTEGER NOT NULL, 
	used_at BIGINT, 
	CONSTRAINT pk_sign_in_code PRIMARY KEY (id), 
	CONSTRAINT fk_sign_in_code_account_id_account FOREIGN KEY(account_id) REFERENCES account (id)
);
CREATE TABLE site (
	id INTEGER NOT NULL, 
	code VARCHAR(64) NOT NULL, 
	name TEXT NOT NULL, 
	zone VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_site PRIMARY KEY (id), 
	CONSTRAINT uq_site_code UNIQUE (code)
);
INSERT INTO "site" VALUES(1,'lake','Lake side','Asia/Shanghai');
CREATE TABLE task_point (
	id INTEGER NOT NULL, 
	task_id INTEGER NOT NULL, 
	checkpoint_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	client_id VARCHAR(64), 
	done_at BIGINT, 
	received_at BIGINT, 
	skew_ms BIGINT, 
	account_id INTEGER, 
	is_scanned BOOLEAN, 
	note TEXT, 
	CONSTRAINT pk_task_point PRIMARY KEY (id), 
	CONSTRAINT uq_task_point_task_id_checkpoint_id UNIQUE (task_id, checkpoint_id), 
	CONSTRAINT fk_task_point_task_id_inspection_task FOREIGN KEY(task_id) REFERENCES inspection_task (id), 
	CONSTRAINT fk_task_point_checkpoint_id_checkpoint FOREIGN KEY(checkpoint_id) REFERENCES checkpoint (id), 
	CONSTRAINT uq_task_point_client_id UNIQUE (client_id), 
	CONSTRAINT fk_task_point_account_id_account FOREIGN KEY(account_id) REFERENCES account (id)
);
CREATE TABLE tenancy (
	id INTEGER NOT NULL, 
	unit_id INTEGER NOT NULL, 
	person_id INTEGER NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	from_on VARCHAR(10) NOT NULL, 
	to_on VARCHAR(10), 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_tenancy PRIMARY KEY (id), 
	CONSTRAINT uq_tenancy_unit_id_person_id_from_on UNIQUE (unit_id, person_id, from_on), 
	CONSTRAINT fk_tenancy_unit_id_unit FOREIGN KEY(unit_id) REFERENCES unit (id), 
	CONSTRAINT fk_tenancy_person_id_person FOREIGN KEY(person_id) REFERENCES person (id)
);
CREATE TABLE unit (
	id INTEGER NOT NULL, 
	building_id INTEGER NOT NULL, 
	code VARCHAR(64) NOT NULL, 
	area_m2 TEXT, 
	CONSTRAINT pk_unit PRIMARY KEY (id), 
	CONSTRAINT fk_unit_building_id_building FOREIGN KEY(building_id) REFERENCES building (id), 
	CONSTRAINT uq_unit_building_id_code UNIQUE (building_id, code)
);
INSERT INTO "unit" VALUES(1,1,'101','80');
CREATE TABLE vehicle (
	id INTEGER NOT NULL, 
	person_id INTEGER NOT NULL, 
	unit_id INTEGER, 
	plate BLOB NOT NULL, 
	plate_index VARCHAR(32) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	created_at BIGINT NOT NULL, 
	removed_at BIGINT, 
	CONSTRAINT pk_vehicle PRIMARY KEY (id), 
	CONSTRAINT fk_vehicle_person_id_person FOREIGN KEY(person_id) REFERENCES person (id), 
	CONSTRAINT fk_vehicle_unit_id_unit FOREIGN KEY(unit_id) REFERENCES unit (id)
);
CREATE TABLE visitor (
	id INTEGER NOT NULL, 
	site_id INTEGER NOT NULL, 
	unit_id INTEGER NOT NULL, 
	person_id INTEGER NOT NULL, 
	name BLOB NOT NULL, 
	phone BLOB, 
	plate BLOB, 
	from_at BIGINT NOT NULL, 
	until_at BIGINT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	version INTEGER NOT NULL, 
	created_at BIGINT NOT NULL, 
	decided_at BIGINT, 
	decided_by VARCHAR(64), 
	reason BLOB, 
	arrived_at BIGINT, 
	left_at BIGINT, 
	once_key VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_visitor PRIMARY KEY (id), 
	CONSTRAINT fk_visitor_site_id_site FOREIGN KEY(site_id) REFERENCES site (id), 
	CONSTRAINT fk_visitor_unit_id_unit FOREIGN KEY(unit_id) REFERENCES unit (id), 
	CONSTRAINT fk_visitor_person_id_person FOREIGN KEY(person_id) REFERENCES person (id), 
	CONSTRAINT uq_visitor_once_key UNIQUE (once_key)
);
CREATE TABLE work_order (
	id INTEGER NOT NULL, 
	site_id INTEGER NOT NULL, 
	building_id INTEGER, 
	unit_id INTEGER, 
	equipment_id INTEGER, 
	device_id INTEGER, 
	alarm_id INTEGER, 
	person_id INTEGER, 
	source VARCHAR(16) NOT NULL, 
	condition VARCHAR(64), 
	title TEXT NOT NULL, 
	place TEXT NOT NULL, 
	detail BLOB, 
	contact_name BLOB, 
	contact_phone BLOB, 
	contact_phone_index VARCHAR(32), 
	created_at BIGINT NOT NULL, 
	created_by VARCHAR(64) NOT NULL, 
	once_key VARCHAR(64), 
	fault_key VARCHAR(255), 
	open_key VARCHAR(255), 
	state VARCHAR(16) NOT NULL, 
	version INTEGER NOT NULL, 
	category VARCHAR(16) NOT NULL, 
	urgency VARCHAR(16) NOT NULL, 
	lead_id INTEGER, 
	respond_due_at BIGINT NOT NULL, 
	finish_due_at BIGINT NOT NULL, 
	responded_at BIGINT, 
	arrived_at BIGINT, 
	paused_at BIGINT, 
	deferred_until BIGINT, 
	finished_at BIGINT, 
	ended_at BIGINT, 
	labour_minutes INTEGER, 
	quote_fen BIGINT, 
	fee_fen BIGINT, 
	merged_into_id INTEGER, 
	rating INTEGER, 
	changed_at BIGINT NOT NULL, 
	CONSTRAINT pk_work_order PRIMARY KEY (id), 
	CONSTRAINT fk_work_order_site_id_site FOREIGN KEY(site_id) REFERENCES site (id), 
	CONSTRAINT fk_work_order_building_id_building FOREIGN KEY(building_id) REFERENCES building (id), 
	CONSTRAINT fk_work_order_unit_id_unit FOREIGN KEY(unit_id) REFERENCES unit (id), 
	CONSTRAINT fk_work_order_equipment_id_equipment FOREIGN KEY(equipment_id) REFERENCES equipment (id), 
	CONSTRAINT fk_work_order_device_id_device FOREIGN KEY(device_id) REFERENCES device (id), 
	CONSTRAINT fk_work_order_alarm_id_alarm FOREIGN KEY(alarm_id) REFERENCES alarm (id), 
	CONSTRAINT fk_work_order_person_id_person FOREIGN KEY(person_id) REFERENCES person (id), 
	CONSTRAINT uq_work_order_once_key UNIQUE (once_key), 
	CONSTRAINT uq_work_order_open_key UNIQUE (open_key), 
	CONSTRAINT fk_work_order_lead_id_account FOREIGN KEY(lead_id) REFERENCES account (id), 
	CONSTRAINT fk_work_order_merged_into_id_work_order FOREIGN KEY(merged_into_id) REFERENCES work_order (id)
);
CREATE TABLE work_order_event (
	id INTEGER NOT NULL, 
	order_id INTEGER NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	at BIGINT NOT NULL, 
	account_id INTEGER, 
	login VARCHAR(64) NOT NULL, 
	body TEXT NOT NULL, 
	note BLOB, 
	CONSTRAINT pk_work_order_event PRIMARY KEY (id), 
	CONSTRAINT fk_work_order_event_order_id_work_order FOREIGN KEY(order_id) REFERENCES work_order (id), 
	CONSTRAINT fk_work_order_event_account_id_account FOREIGN KEY(account_id) REFERENCES account (id)
);
CREATE TABLE workbook (
	id INTEGER NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	name TEXT NOT NULL, 
	account_id INTEGER, 
	received_at BIGINT NOT NULL, 
	applied_at BIGINT, 
	rows INTEGER NOT NULL, 
	body BLOB NOT NULL, 
	CONSTRAINT pk_workbook PRIMARY KEY (id), 
	CONSTRAINT uq_workbook_digest UNIQUE (digest), 
	CONSTRAINT fk_workbook_account_id_account FOREIGN KEY(account_id) REFERENCES account (id)
);
CREATE INDEX ix_alarm_cleared_at_raised_at ON alarm (cleared_at, raised_at);
CREATE INDEX ix_batch_pending ON batch (lane, id) WHERE expanded_at IS NULL AND error IS NULL;
CREATE INDEX ix_bill_unit_id_period ON bill (unit_id, period);
CREATE INDEX ix_event_subject_at ON event (subject, at);
CREATE INDEX ix_reading_series_id_taken_at ON reading (series_id, taken_at);
CREATE INDEX ix_person_name_index ON person (name_index);
CREATE INDEX ix_person_phone_index ON person (phone_index);
CREATE INDEX ix_person_phone4_index ON person (phone4_index);
CREATE INDEX ix_sign_in_code_account_id_created_at ON sign_in_code (account_id, created_at);
CREATE INDEX ix_audit_subject ON audit (subject);
CREATE INDEX ix_audit_at ON audit (at);
CREATE INDEX ix_photo_kind_kind_id ON photo (kind, kind_id);
CREATE INDEX ix_tenancy_person_id ON tenancy (person_id);
CREATE INDEX ix_vehicle_plate_index ON vehicle (plate_index);
CREATE INDEX ix_work_order_contact_phone_index ON work_order (contact_phone_index);
CREATE INDEX ix_work_order_site_id_state ON work_order (site_id, state);
CREATE INDEX ix_work_order_lead_id_state ON work_order (lead_id, state);
CREATE INDEX ix_work_order_person_id_created_at ON work_order (person_id, created_at);
CREATE INDEX ix_work_order_unit_id_created_at ON work_order (unit_id, created_at);
CREATE INDEX ix_work_order_finished_at ON work_order (finished_at);
CREATE INDEX ix_work_order_event_order_id_id ON work_order_event (order_id, id);
CREATE INDEX ix_check_item_checkpoint_id ON check_item (checkpoint_id);
CREATE INDEX ix_inspection_task_state_ends_at ON inspection_task (state, ends_at);
CREATE INDEX ix_inspection_task_site_id_ends_at ON inspection_task (site_id, ends_at);
CREATE INDEX ix_task_point_checkpoint_id_done_at ON task_point (checkpoint_id, done_at);
CREATE INDEX ix_check_answer_check_item_id ON check_answer (check_item_id);
CREATE INDEX ix_credential_number_index ON credential (number_index);
CREATE INDEX ix_credential_site_id ON credential (site_id);
CREATE INDEX ix_credential_person_id ON credential (person_id);
CREATE INDEX ix_door_decision_site_id_at ON door_decision (site_id, at);
CREATE INDEX ix_door_decision_device_id_at ON door_decision (device_id, at);
CREATE INDEX ix_door_decision_person_id_at ON door_decision (person_id, at);
CREATE INDEX ix_alarm_note_alarm_id ON alarm_note (alarm_id);
CREATE INDEX ix_bill_line_bill_id ON bill_line (bill_id);
CREATE INDEX ix_charge_site_id_period ON charge (site_id, period);
CREATE INDEX ix_charge_unit_id ON charge (unit_id);
CREATE INDEX ix_payment_bill_id ON payment (bill_id);
CREATE INDEX ix_payment_taken_at ON payment (taken_at);
CREATE UNIQUE INDEX ix_payment_reverses_id ON payment (reverses_id);
CREATE INDEX ix_parking_lease_place_id_from_period ON parking_lease (place_id, from_period);
CREATE INDEX ix_parking_lease_unit_id ON parking_lease (unit_id);
CREATE INDEX ix_notice_site_id_published_at ON notice (site_id, published_at);
CREATE INDEX ix_notice_read_person_id ON notice_read (person_id);
CREATE INDEX ix_visitor_site_id_state_from_at ON visitor (site_id, state, from_at);
CREATE INDEX ix_visitor_person_id_created_at ON visitor (person_id, created_at);
CREATE INDEX ix_consent_person_id_kind ON consent (person_id, kind);
COMMIT;
