"""Reads the alert that the telegram raised and the event it became, and gives the event to somebody."""

from xml.etree import ElementTree

from office import UPPER, get, node, post, until

(alert,) = until(lambda: get("/api/alerts", source=UPPER, state="active"))
print(f"alert {alert['responseLevel']}: {alert['headline']['languageMap']['en']}")

event = until(lambda: get(f"/api/events/{alert['partOfEvent']}"))
print(f"event {event['responseLevel']}, {event['place']}, {event['stage']}")

told = {"stage": "assigned", "owner": "上库管理处", "note": "核实水位 verify the level"}
step = post(f"/api/events/{event['id']}/steps", **told)
print(f"now {step['stage']} to {step['owner']}")

cap = node.get(f"/api/alerts/{alert['id']}", headers={"Accept": "application/cap+xml"})
severity = ElementTree.fromstring(cap.text).findtext(".//{urn:oasis:names:tc:emergency:cap:1.2}severity")
print("as CAP 1.2:", severity)
